"""The sentences of a run, each against numbers written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ttrl.evaluation.pooling import pooled_difference
from ttrl.evaluation.report.findings import ONE_SEED, Sentence, against_votes, losses
from ttrl.evaluation.report.findings import set_sentence as sentence_of
from ttrl.evaluation.report.outcome import Outcome, paired_outcome
from ttrl.evaluation.report.reading import Run
from ttrl.evaluation.report.text import NO_BREAK_SPACE
from ttrl.evaluation.report.verdicts import Verdict, memorised_by, run_verdict
from ttrl.interval import Interval
from ttrl.recording.evaluations import Evaluation, SetMetrics
from ttrl.recording.forgiving import mapping
from ttrl.recording.question_record import QuestionRecord
from ttrl.recording.results import RunResult

Metrics = dict[str, Any]


def measured(
    value: float, low: float, high: float, *, k: int = 16, questions: int = 128
) -> dict[str, Any]:
    return {
        f"avg@{k}": value,
        f"avg@{k}_ci": [low, high],
        "questions": questions,
        "labeled": questions,
        "temperature": 0.6,
    }


def voted(value: float, low: float, high: float) -> dict[str, Any]:
    return {"maj@64": value, "maj@64_ci": [low, high]}


def run_of(result: Metrics, evaluations: Any = None) -> Run:
    metrics = {
        name: {when: SetMetrics.from_json(each) for when, each in mapping(pair).items()}
        for name, pair in mapping(result.get("sets")).items()
    }
    kept = {key: value for key, value in result.items() if key != "sets"}
    return Run(result=RunResult(**kept, metrics=metrics, evaluations=evaluations or {}))


def verdict(result: Metrics, evaluations: Any = None) -> Verdict:
    return run_verdict(run_of(result, evaluations))


def set_sentence(
    name: str, base: Metrics, final: Metrics, found: Outcome | None = None
) -> Sentence:
    return sentence_of(name, SetMetrics.from_json(base), SetMetrics.from_json(final), found)


def voting_sentence(base: Metrics, final: Metrics, found: Outcome | None = None) -> Sentence | None:
    return against_votes(SetMetrics.from_json(base), SetMetrics.from_json(final), found)


def text(sentence: Sentence | None) -> str:
    assert sentence is not None
    return sentence.text.replace(NO_BREAK_SPACE, " ")


def test_intervals_apart_and_higher_is_a_rise():
    base, final = measured(0.509, 0.47, 0.548), measured(0.881, 0.852, 0.907)
    sentence = set_sentence("unlabeled", base, final)
    assert sentence.tone == "rose"
    assert text(sentence) == (
        "On 128 unlabeled questions, avg@16 at temperature 0.6 rose from 50.9 % to 88.1 % "
        "(95 % intervals 47.0 to 54.8 and 85.2 to 90.7)."
    )


def test_intervals_apart_and_lower_is_a_fall():
    base, final = measured(0.5, 0.45, 0.55), measured(0.2, 0.15, 0.25)
    sentence = set_sentence("heldout", base, final)
    assert sentence.tone == "fell"
    assert "128 held-out questions" in text(sentence)
    assert "fell from 50.0 % to 20.0 %" in text(sentence)


@pytest.mark.parametrize("low", [0.50, 0.55])
def test_intervals_that_overlap_or_touch_are_no_clear_change(low: float):
    base, final = measured(0.50, 0.45, 0.55), measured(0.60, low, 0.65)
    sentence = set_sentence("out_of_prior", base, final)
    assert sentence.tone == "unclear"
    assert "shows no clear change: 50.0 % before, 60.0 % after" in text(sentence)
    assert "rose" not in text(sentence)


def test_without_intervals_nothing_is_claimed():
    sentence = set_sentence("unlabeled", {"avg@8": 0.1}, {"avg@8": 0.9})
    assert sentence.tone == "unclear"
    assert text(sentence) == (
        "On unlabeled questions, avg@8 went from 10.0 % to 90.0 %; "
        "without intervals this supports no claim."
    )


def test_without_labels_agreement_is_not_called_correctness():
    base = {"majority_ratio": 0.41, "questions": 20, "labeled": 0}
    sentence = set_sentence("unlabeled", base, base | {"majority_ratio": 0.87})
    assert sentence.tone == "unknown"
    assert text(sentence) == (
        "The 20 unlabeled questions have no answer key: accuracy needs labels. The majority ratio "
        "went from 41.0 % to 87.0 %, which is agreement, not correctness."
    )


def test_labels_for_some_of_the_questions_are_counted():
    base, final = measured(0.5, 0.4, 0.6) | {"labeled": 30}, measured(0.9, 0.8, 1.0)
    assert "On 128 unlabeled questions (30 with a label), avg@16" in text(
        set_sentence("unlabeled", base, final)
    )


def test_one_question_is_singular():
    base, final = measured(0.0, 0, 0, questions=1), measured(0.0, 0, 0, questions=1)
    assert text(set_sentence("heldout", base, final)).startswith("On 1 held-out question, avg@16")


def test_different_temperatures_are_told():
    base, final = measured(0.5, 0.4, 0.6), measured(0.9, 0.8, 1.0) | {"temperature": 1.0}
    assert "avg@16 (temperature 0.6 before, 1 after) rose" in text(
        set_sentence("unlabeled", base, final)
    )


@pytest.mark.parametrize(
    ("base_is_there", "when"),
    [
        (True, "was 50.0 % (95 % interval 40.0 to 60.0) before training, and not measured after it."),
        (False, "was 50.0 % (95 % interval 40.0 to 60.0) after training, and not measured before it."),
    ],
)  # fmt: skip
def test_a_missing_side_is_told(base_is_there: bool, when: str):
    metrics = measured(0.5, 0.4, 0.6)
    base, final = (metrics, {}) if base_is_there else ({}, metrics)
    assert text(set_sentence("unlabeled", base, final)).endswith(when)


def test_the_smallest_shared_k_is_compared():
    base = measured(0.2, 0.1, 0.3, k=8) | measured(0.3, 0.2, 0.4, k=64)
    final = measured(0.7, 0.6, 0.8, k=64)
    assert "avg@64" in text(set_sentence("unlabeled", base, final))
    assert "no k in common" in text(set_sentence("unlabeled", measured(0.2, 0.1, 0.3, k=8), final))


@pytest.mark.parametrize(
    ("single", "tone", "words"),
    [
        (0.881, "rose", "is above what the base model reached by voting (maj@64, 61.7 %; "
         "95 % interval 53.1 to 70.0)."),
        (0.531, "unclear", "is within the interval of what the base model reached by voting"),
        (0.50, "fell", "is below what the base model reached by voting"),
    ],
)  # fmt: skip
def test_one_completion_after_against_the_vote_before(single: float, tone: str, words: str):
    sentence = voting_sentence(voted(0.617, 0.531, 0.7), measured(single, 0.1, 0.9))
    assert sentence is not None and sentence.tone == tone
    assert words in text(sentence)


def test_the_vote_before_without_an_interval_or_without_labels():
    sentence = voting_sentence({"maj@8": 0.6}, measured(0.7, 0.6, 0.8))
    assert text(sentence).endswith("above what the base model reached by voting (maj@8, 60.0 %, "
                                   "no interval).")  # fmt: skip
    assert voting_sentence({}, measured(0.7, 0.6, 0.8)) is None
    assert voting_sentence(voted(0.6, 0.5, 0.7), {}) is None


def test_findings_come_in_the_order_of_the_sets_and_missing_sets_are_left_out():
    moved = {"base": measured(0.2, 0.1, 0.3), "final": measured(0.7, 0.6, 0.8)}
    found = verdict({"sets": {"out_of_prior": moved, "unlabeled": moved, "heldout": {}}})
    assert "unlabeled" in found.quote and "held-out" not in found.quote
    assert [each.text.startswith("On 128 out-of-prior") for each in found.findings] == [True]
    with_vote = {"base": moved["base"] | voted(0.5, 0.4, 0.6), "final": moved["final"]}
    found = verdict({"sets": {"unlabeled": with_vote}})
    assert "rose" in found.quote and [each.tone for each in found.findings] == ["rose"]


@pytest.mark.parametrize("result", [{}, {"sets": None}, {"sets": {"unlabeled": "broken"}}])
def test_no_evaluation_is_no_verdict(result: Metrics):
    found = verdict(result)
    assert "The run has no evaluation, so there is no verdict." in found.quote
    assert found.findings == ()


def test_not_a_number_is_not_a_measurement():
    base = measured(float("nan"), 0, 1)
    assert set_sentence("unlabeled", base, base).tone == "unknown"


def test_texts_are_judged_by_their_similarity_to_the_true_answers():
    base = {"similarity": 0.2, "similarity_ci": [0.15, 0.25], "questions": 9, "labeled": 9}
    final = base | {"similarity": 0.4, "similarity_ci": [0.35, 0.45]}
    sentence = set_sentence("unlabeled", base, final)
    assert sentence.tone == "rose"
    assert text(sentence) == (
        "On 9 unlabeled questions, similarity to the true answer rose from 20.0 % to 40.0 % "
        "(95 % intervals 15.0 to 25.0 and 35.0 to 45.0)."
    )


def test_texts_without_true_answers_agree_by_their_similarity_to_each_other():
    base = {"majority_ratio": 0.1, "self_similarity": 0.3, "questions": 9, "labeled": 0}
    sentence = set_sentence("unlabeled", base, base | {"self_similarity": 0.5})
    assert "similarity of the answers to each other went from 30.0 % to 50.0 %" in text(sentence)
    assert "majority" not in text(sentence)


def graded(correct: list[int], *, samples: int = 4) -> Evaluation:
    """An evaluation whose vote is right where most completions are."""
    rows = [
        {
            "id": f"q{at}",
            "correct": right,
            "counts": [right, samples - right],
            "vote_right": 2 * right > samples,
        }
        for at, right in enumerate(correct)
    ]
    return Evaluation.from_json({"questions": rows})


def paired(before: list[int], after: list[int]) -> Outcome | None:
    evaluations = {("x", "base"): graded(before), ("x", "final"): graded(after)}
    return paired_outcome([run_of({}, evaluations)], "x")


def test_a_paired_interval_judges_where_records_tell_it():
    base, final = measured(0.25, 0.0, 0.6, k=4), measured(0.5, 0.3, 0.8, k=4)
    every_one_gains = paired([1] * 12, [2] * 12)
    sentence = set_sentence("heldout", base, final, every_one_gains)
    assert sentence.tone == "rose"
    assert text(sentence).endswith("rose from 25.0 % to 50.0 %: +25.0 points [+25.0, +25.0].")
    assert set_sentence("heldout", base, final).tone == "unclear"


def test_a_paired_interval_that_holds_0_is_no_clear_change():
    base, final = measured(0.5, 0.4, 0.5, k=4), measured(0.5, 0.51, 0.6, k=4)
    sentence = set_sentence("heldout", base, final, paired([2, 3] * 6, [3, 2] * 6))
    assert sentence.tone == "unclear" and "0.0 points [" in text(sentence)


def judged(before: list[int], after: list[int]) -> tuple[str, str]:
    sentence = voting_sentence(
        voted(0.617, 0.5, 0.7), measured(0.9, 0.8, 1.0), paired(before, after)
    )
    assert sentence is not None
    return text(sentence), sentence.tone


def test_one_completion_is_judged_against_the_vote_by_the_paired_difference():
    """Of 4: votes of 3 are right, of 1 wrong, so the differences are 1 - 1 and 0.5 - 0."""
    said, tone = judged([3, 1] * 10, [4, 2] * 10)
    assert tone == "rose"
    assert "(avg@4, 75.0 %) is above what the base model reached by voting (maj@4, 50.0 %)" in said
    assert ": +25.0 points [+" in said
    assert judged([3] * 12, [2] * 12)[1] == "fell"  # 0.5 - 1
    said, tone = judged([3, 1] * 10, [2, 2] * 10)  # - 0.5 and + 0.5
    assert tone == "unclear" and "is not clearly apart from what the base" in said


def test_few_questions_support_no_claim_against_the_vote():
    said, tone = judged([1] * 9, [4] * 9)
    assert tone == "unclear" and said.endswith("; fewer than 10 questions support no interval.")


def test_a_few_questions_or_another_k_have_no_paired_interval():
    base, final = measured(0.25, 0.2, 0.3, k=4), measured(0.5, 0.4, 0.6, k=4)
    few = paired([1] * 9, [2] * 9)
    assert "intervals 20.0 to 30.0 and 40.0" in text(set_sentence("heldout", base, final, few))
    enough = paired([1] * 12, [2] * 12)
    assert enough is not None and enough.change_of("avg@2") is None


def test_the_paragraph_says_of_which_run_what_moved_what_is_memorised_and_what_was_lost():
    lost = {"base": measured(0.75, 0.7, 0.8, k=4), "final": measured(0.25, 0.2, 0.3, k=4)}
    evaluations = {
        (name, when): graded([3 if when == "base" else 1] * 12)
        for name in ("unlabeled", "heldout")
        for when in ("base", "final")
    }
    result = {
        "steps": 60, "algorithm": "grpo", "model": "ttrl-tiny", "reward": "majority", "seed": 3,
        "sets": {"unlabeled": lost, "heldout": lost},
    }  # fmt: skip
    found = verdict(result, evaluations)
    paragraph = found.quote.replace(NO_BREAK_SPACE, " ")
    assert paragraph.startswith("60 steps of grpo on ttrl-tiny with the reward majority, seed 3. ")
    assert "unlabeled questions, avg@4 at temperature 0.6 fell from 75.0 % to 25.0 %" in paragraph
    assert "held-out questions, avg@4" in paragraph
    assert paragraph.replace(NO_BREAK_SPACE, " ").endswith(ONE_SEED.replace(NO_BREAK_SPACE, " "))
    assert "cannot be told against the held-out questions" in paragraph
    assert "What got worse on the unlabeled questions: the vote lost 12 of the 12" in paragraph
    assert any("What got worse on the held-out questions" in s.text for s in found.findings)


def test_a_run_on_true_labels_says_so_where_it_is_quoted():
    found = verdict({"reward": "answer-key", "sets": {}})
    assert "with the reward answer-key, which is true labels and not TTRL." in found.quote


def evaluations(**sets: tuple[list[int], list[int]]) -> dict[Any, Evaluation]:
    return {
        (name, when): graded(values)
        for name, sides in sets.items()
        for when, values in zip(("base", "final"), sides, strict=True)
    }


def outcomes(found: dict[Any, Evaluation]) -> dict[str, Outcome]:
    runs = [run_of({}, found)]
    names = dict.fromkeys(name for name, _ in found)
    return {name: each for name in names if (each := paired_outcome(runs, name))}


def memorisation(found: dict[Any, Evaluation]) -> list[tuple[Sentence, ...]]:
    return memorised_by(run_of({}, found), outcomes(found))


def gained_apart(found: dict[Any, Evaluation]) -> Interval:
    known = outcomes(found)
    return pooled_difference(known["unlabeled"].changes(), known["heldout"].changes())


def test_the_vote_of_an_old_record_is_read_off_its_label():
    record = {"correct": 3, "labels": ["7", "8"], "pseudo_label": "8", "right_class": 1}

    def vote_right(**changes: Any) -> bool | None:
        return QuestionRecord.from_json(record | changes).vote_right

    assert vote_right() is True
    assert vote_right(pseudo_label="7") is False
    assert vote_right(pseudo_label=None) is False
    assert vote_right(vote_right=False) is False
    assert vote_right(correct=None) is None


def test_questions_are_paired_by_id_and_unlabeled_ones_left_out():
    base, final = graded([1, 2, 3]), graded([3, 2, 1])
    first, second, third = base.questions
    base = replace(base, questions=(first, replace(second, correct=None), third))
    final = replace(final, questions=final.questions[::-1])
    found = outcomes({("x", "base"): base, ("x", "final"): final})["x"]
    assert [id for id, *_ in found.keys] == ["q0", "q2"]
    assert found.changes().tolist() == [[(3 - 1) / 4, (1 - 3) / 4]]


def test_the_difference_of_equal_gains_is_exactly_known():
    found = evaluations(unlabeled=([0] * 20, [4] * 20), heldout=([1] * 10, [2] * 10))
    gained = gained_apart(found)
    assert (gained.value, gained.low, gained.high) == (0.75, 0.75, 0.75)


def test_the_interval_of_the_difference_is_that_of_a_difference_of_means():
    """Gains of 0 or 1: the standard error is sqrt(p (1 - p) / n + q (1 - q) / m)."""
    found = evaluations(
        unlabeled=([0] * 200, [4, 0] * 100), heldout=([0] * 100, [4, 0, 0, 0, 0] * 20)
    )
    gained = gained_apart(found)
    assert gained.value == pytest.approx(0.3)
    assert gained.low is not None and gained.high is not None
    half = 1.96 * (0.25 / 200 + 0.16 / 100) ** 0.5
    assert gained.low == pytest.approx(0.3 - half, abs=0.012)
    assert gained.high == pytest.approx(0.3 + half, abs=0.012)


def test_memorisation_is_judged_against_heldout_and_fresh_questions_only():
    found = evaluations(
        unlabeled=([0] * 12, [4] * 12),
        heldout=([1] * 12, [1] * 12),
        fresh_generated=([0] * 12, [4] * 12),
        out_of_prior=([0] * 12, [0] * 12),
    )
    texts = [each[-1].text for each in memorisation(found)]
    assert len(texts) == 2
    assert "Against the held-out questions, the gain is specific" in texts[0]
    assert "Against the newly generated questions, there is no sign" in texts[1]


def test_few_questions_or_no_others_leave_memorisation_open():
    few = evaluations(unlabeled=([0] * 12, [4] * 12), heldout=([0] * 9, [4] * 9))
    ((finding,),) = memorisation(few)
    assert finding.tone == "unknown" and "12 trained and 9 of the held-out" in finding.text
    ((alone,),) = memorisation(evaluations(unlabeled=([0] * 12, [4] * 12)))
    assert "no other questions of the same kind" in alone.text
    assert memorisation({}) == []


def test_what_got_worse_names_lost_votes_and_what_is_out_of_reach():
    found = evaluations(unlabeled=([3] * 10 + [1] * 10, [4] * 8 + [1] * 2 + [0] * 10))
    (sentence,) = losses(outcomes(found))
    text = sentence.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "the vote lost 2 of the 10 questions that it had right (and gained 0)" in text
    assert "pass@4 fell from 100.0 % to 50.0 %, \N{MINUS SIGN}50.0 points" in text
    assert sentence.tone == "fell"


def test_a_set_without_losses_is_told_and_one_without_labels_is_not():
    found = evaluations(unlabeled=([1] * 10, [4] * 10))
    bare = Evaluation.from_json({"questions": [{"id": "a"}]})
    found |= {("heldout", when): bare for when in ("base", "final")}
    (sentence,) = losses(outcomes(found))
    assert sentence.text.startswith("No vote was lost on the unlabeled questions: none that was")
    assert sentence.text.endswith("and pass@k did not clearly fall.")


def test_single_completions_that_clearly_fell_are_a_loss_though_every_vote_is_kept():
    (sentence,) = losses(outcomes(evaluations(unlabeled=([4] * 10, [3] * 10))))
    text = sentence.text.replace("\N{NO-BREAK SPACE}", " ")
    assert text.startswith(
        "What got worse on the unlabeled questions: avg@4 fell, \N{MINUS SIGN}25.0"
    )
    assert sentence.tone == "fell"


def test_of_few_questions_nothing_is_said_of_pass_at_k():
    found = evaluations(unlabeled=([4] * 9, [3] * 9), heldout=([3] * 10, [4] * 10))
    enough, few = losses(outcomes(found))
    assert "No vote was lost on the held-out questions" in enough.text and "pass@k" in enough.text
    assert few.text.endswith(
        "on the unlabeled questions: none that was right before is wrong after."
    )


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (None, "seed 3."),
        (60, "seed 3."),
        (20, "seed 3. Figures after training are of step 20, chosen without labels."),
        (
            0,
            "seed 3. The base itself was kept, chosen without labels: figures after training are ",
        ),
    ],
)
def test_the_verdict_opens_with_what_is_evaluated_where_it_is_not_the_last_step(
    kept: int | None, said: str
) -> None:
    result = RunResult(
        algorithm="grpo", model="m", reward="majority", seed=3, steps=60, kept_step=kept
    )
    quote = run_verdict(Run(result=result)).quote
    opening = "60 steps of grpo on m with the reward majority, "
    assert quote.startswith(opening + said)
    assert ("chosen" in quote) == ("chosen" in said)
