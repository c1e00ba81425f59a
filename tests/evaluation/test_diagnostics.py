import pytest

from ttrl.answers.tasks import MathTask
from ttrl.config import RunConfig
from ttrl.consensus.rules import make_rule
from ttrl.consensus.rules import score as score_group
from ttrl.consensus.vote import vote_on_group
from ttrl.evaluation.answer_key import AnswerSheet, answer_key_rule
from ttrl.evaluation.metrics import LabelDiagnostics
from ttrl.types import Completion, Group, Observer, Question, RewardRule, ScoredGroup, StepResult


def group(id: str, *answers: str | None) -> Group:
    texts = ["no answer" if answer is None else f"\\boxed{{{answer}}}" for answer in answers]
    return Group(
        question=Question(id=id, prompt="p"),
        completions=tuple(
            Completion(
                question_id=id,
                prompt_ids=(1,),
                token_ids=(2,),
                logprobs=(-1.0,),
                entropy=(0.5,),
                finish_reason="stop",
                policy_version=0,
                text=text,
            )
            for text in texts
        ),
    )


def diagnose(answers: dict[str, str], *groups: Group) -> dict[str, float]:
    scored = tuple(score(make_rule(RunConfig()), one) for one in groups)
    observer = LabelDiagnostics(task=MathTask(), answers=AnswerSheet(answers=answers))
    return observer.on_step(StepResult(step=1, scored=scored, metrics={}))


def test_diagnostics_by_hand() -> None:
    metrics = diagnose(
        {"a": "0.5", "b": "9", "c": "1"},
        group("a", "\\frac12", "1/2", "3", None),  # right label; every reward is right
        group("b", "7", "7", "7", "9"),  # wrong label; every reward is wrong
        group("c", None, None, None, None),  # no label; no reward, and none is deserved
        group("unlabeled", "1", "1", "1", "1"),
    )
    assert metrics == {
        "labels/label_accuracy": 1 / 3,
        "labels/reward_accuracy": (4 + 0 + 4) / 12,
        "labels/lucky_rate": 4 / 12,  # those of c
        "labels/ground_truth_ratio": pytest.approx((2 / 4 + 1 / 4 + 0) / 3),
        "labels/pass_at_votes": 2 / 3,
    }


def test_a_wrong_label_still_rewards_rightly_where_all_are_wrong() -> None:
    """The "lucky hit": the completions that differ from the wrong label earn the 0 they deserve."""
    metrics = diagnose({"a": "9"}, group("a", "1", "1", "2", "3"))
    assert metrics["labels/label_accuracy"] == 0 and metrics["labels/reward_accuracy"] == 2 / 4
    assert metrics["labels/lucky_rate"] == 2 / 4


def test_right_rewards_of_a_right_label_are_no_luck() -> None:
    metrics = diagnose(
        {"a": "1", "b": "9"}, group("a", "1", "1", "2", None), group("b", "7", "7", "9", "8")
    )
    assert metrics["labels/reward_accuracy"] == (4 + 1) / 8
    assert metrics["labels/lucky_rate"] == 1 / 8  # the 8: no reward, and none is deserved


@pytest.mark.parametrize("label", ["\\frac{3}{4}", "(3, \\frac{\\pi}{2})", "\\text{Evelyn}", "-2"])
def test_the_label_is_compared_as_it_is_and_not_extracted_again(label: str) -> None:
    assert diagnose({"a": label}, group("a", label, label))["labels/label_accuracy"] == 1


def test_a_step_without_labeled_questions_says_nothing() -> None:
    assert diagnose({"other": "1"}, group("a", "1")) == {}
    assert diagnose({"a": "1"}) == {}


def score(rule: RewardRule, one: Group) -> ScoredGroup:
    consensus = vote_on_group(MathTask(), one, tie_seed=0)
    return score_group(one, consensus, rule=rule, config=RunConfig(), step=0)


def test_the_answer_key_rule_rewards_truth_and_records_the_consensus() -> None:
    rule = answer_key_rule(AnswerSheet(answers={"a": "0.75"}), MathTask())
    scored = score(rule, group("a", "3/4", "5", "5", None))
    assert scored.rewards == (1.0, 0.0, 0.0, 0.0)
    assert scored.consensus == score(make_rule(RunConfig()), scored.group).consensus
    assert scored.consensus.pseudo_label == "5"
    assert score(rule, group("unlabeled", "3/4", "3/4")).rewards == (0.0, 0.0)


def test_diagnostics_are_an_observer() -> None:
    observer: Observer = LabelDiagnostics(task=MathTask(), answers=AnswerSheet(answers={}))
    assert observer.on_step(StepResult(step=0, scored=(), metrics={})) == {}
