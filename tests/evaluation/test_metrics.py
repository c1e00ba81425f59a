import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ttrl.answers.tasks import get_task
from ttrl.errors import DataError
from ttrl.evaluation.answer_key import AnswerSheet
from ttrl.evaluation.metrics import evaluate_groups
from ttrl.types import AnswerKey, Completion, FinishReason, Group, KeyedAnswers, Question


@dataclass(frozen=True, slots=True)
class EqualsTask:
    """The answer is what follows "="; keys ignore case; "?" says nothing."""

    name: str = "equals"
    instruction: str = ""

    def extract(self, completion: Completion) -> str | None:
        _, sign, answer = completion.text.rpartition("=")
        return answer if sign else None

    def for_question(self, question: Question) -> "EqualsTask":
        return self

    def key(self, answer: str) -> AnswerKey | None:
        return None if answer == "?" else (answer.lower(),)

    def keys(self, answers: Sequence[str | None]) -> KeyedAnswers:
        return KeyedAnswers(keys=tuple(None if a is None else self.key(a) for a in answers))

    def similarities(self, answers: Sequence[str]) -> None:
        return None


def completion(
    text: str,
    *,
    id: str = "q",
    entropy: tuple[float, ...] = (0.5, 1.5),
    finish: FinishReason = "stop",
) -> Completion:
    return Completion(
        question_id=id,
        prompt_ids=(1,),
        token_ids=(2,) * len(entropy),
        logprobs=(-1.0,) * len(entropy),
        entropy=entropy,
        finish_reason=finish,
        policy_version=0,
        text=text,
    )


def group(id: str, *texts: str) -> Group:
    return Group(
        question=Question(id=id, prompt=f"prompt of {id}"),
        completions=tuple(completion(text, id=id) for text in texts),
    )


GROUPS = [
    group("a", "=X", "none", "=x", "=y"),  # x 2, y 1: the consensus x is right
    group("b", "=y", "=y", "=x", "=z"),  # y 2: the consensus is wrong, one is right
    group("c", "=y", "=y", "=y", "=y"),  # unlabeled
]
SHEET = AnswerSheet(answers={"a": "x", "b": "X"})


def measured(*arguments: Any, **options: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    found = written(*arguments, **options)
    return found["metrics"], found["questions"]


def written(*arguments: Any, **options: Any) -> dict[str, Any]:
    return evaluate_groups(*arguments, **options).to_json()


def test_accuracies_by_hand_over_labeled_questions() -> None:
    metrics, _ = measured(EqualsTask(), GROUPS, SHEET, seed=0)
    assert metrics["avg@4"] == (2 / 4 + 1 / 4) / 2
    assert metrics["maj@4"] == 1 / 2
    assert metrics["pass@4"] == 1.0
    assert metrics["avg@4_ci"] == [0.25, 0.5] and metrics["maj@4_ci"] == [0.0, 1.0]
    assert (metrics["questions"], metrics["labeled"]) == (3, 2)
    assert set(metrics) == {
        "avg@4", "avg@4_ci", "maj@4", "maj@4_ci", "pass@4", "entropy", "no_answer_rate",
        "truncated_rate", "mean_tokens", "majority_ratio", "questions", "labeled",
    }  # fmt: skip


def test_k_is_16_where_there_are_more_completions() -> None:
    texts = ["=x"] * 4 + ["=y"] * 12 + ["=x"] * 14 + ["=y"] * 2
    metrics, _ = measured(EqualsTask(), [group("a", *texts)], SHEET, seed=0)
    assert metrics["avg@16"] == 4 / 16 and metrics["avg@32"] == 18 / 32
    assert metrics["maj@32"] == 1.0
    assert metrics["pass@16"] == 1.0  # only 14 of 32 are wrong
    assert metrics["avg@16_ci"] == [0.25, 0.25] and "avg@32_ci" in metrics


def test_pass_at_k_uses_all_completions() -> None:
    texts = ["=y"] * 31 + ["=x"]
    metrics, _ = measured(EqualsTask(), [group("a", *texts)], SHEET, seed=0)
    assert metrics["avg@16"] == 0.0 and metrics["pass@16"] == 0.5


def test_measures_without_labels_by_hand() -> None:
    groups = [
        Group(
            question=Question(id="a", prompt="p"),
            completions=(
                completion("=x", entropy=(1.0, 2.0, 3.0)),
                completion("no answer", entropy=(2.0,), finish="length"),
            ),
        ),
        group("b", "=x", "=x"),
    ]
    for sheet in (None, AnswerSheet(answers={"other": "x"})):
        metrics, records = measured(EqualsTask(), groups, sheet, seed=0)
        assert metrics == {
            "entropy": (1 + 2 + 3 + 2 + 4) / 8,  # over tokens, not over completions
            "no_answer_rate": 1 / 4,
            "truncated_rate": 1 / 4,
            "mean_tokens": 8 / 4,
            "majority_ratio": (1 / 2 + 1) / 2,
            "questions": 2,
            "labeled": 0,
        }
        assert records[0]["answer"] is records[0]["correct"] is records[0]["right_class"] is None


def test_records_say_what_was_voted_and_what_was_right() -> None:
    _, records = measured(EqualsTask(), GROUPS, SHEET, seed=0)
    assert records[0] == {
        "id": "a",
        "prompt": "prompt of a",
        "level": None,
        "pseudo_label": "X",
        "tied": False,
        "counts": [2, 1],
        "labels": ["X", "y"],
        "other": 0,
        "abstained": 1,
        "answer": "x",
        "correct": 2,
        "vote_right": True,
        "right_class": 0,
        "example": "=X",
    }
    assert records[1]["right_class"] in (1, 2) and records[1]["correct"] == 1
    assert records[1]["example"] == "=y"
    assert records[1]["vote_right"] is False
    assert (records[2]["answer"], records[2]["correct"], records[2]["vote_right"]) == (None,) * 3
    json.dumps(records)


def test_records_keep_the_largest_classes_and_a_bounded_example() -> None:
    texts = [f"={i}" for i in range(14)] + ["=0"] * 6 + ["=X" + "y" * 5000]
    groups = [group("a", *texts), group("b", *["z" * 5000] * 21)]
    _, records = measured(EqualsTask(), groups, None, seed=0)
    assert records[0]["counts"] == [7] + [1] * 11 and records[0]["other"] == 3
    assert len(records[0]["labels"]) == 12
    assert records[1]["counts"] == [] and records[1]["pseudo_label"] is None
    assert records[1]["example"] == "z" * 4000


def test_a_right_class_out_of_sight_has_no_index_but_counts() -> None:
    answers = [AnswerSheet(answers={"a": str(i)}) for i in range(14)]
    groups = [group("a", *(f"={i}" for i in range(14)))]
    records = [measured(EqualsTask(), groups, sheet, seed=0)[1][0] for sheet in answers]
    assert all(record["correct"] == 1 for record in records)
    indices = [record["right_class"] for record in records]
    assert indices.count(None) == 2 and {i for i in indices if i is not None} == set(range(12))


def test_a_tie_counts_as_its_elected_class_does() -> None:
    groups = [group("a", "=x", "=y")]
    metrics, records = measured(EqualsTask(), groups, SHEET, seed=0)
    assert records[0]["tied"] and metrics["maj@2"] == float(records[0]["pseudo_label"] == "x")


def test_nobody_answering_is_wrong() -> None:
    metrics, _ = measured(EqualsTask(), [group("a", "none", "none")], SHEET, seed=0)
    assert (metrics["avg@2"], metrics["maj@2"], metrics["pass@2"]) == (0.0, 0.0, 0.0)
    found = written(EqualsTask(), [group("a", "none", "none")], SHEET, seed=0)
    assert found["questions"][0]["vote_right"] is False
    assert found["curves"]["maj"] == found["curves"]["pass"] == [0.0, 0.0]


def test_a_label_that_says_nothing_leaves_its_question_unlabeled() -> None:
    sheet = AnswerSheet(answers={"a": "?"})
    metrics, records = measured(EqualsTask(), [group("a", "=x")], sheet, seed=0)
    assert metrics["labeled"] == 0 and "avg@1" not in metrics
    assert (records[0]["answer"], records[0]["correct"]) == ("?", None)


def test_groups_of_different_sizes_and_no_groups_are_refused() -> None:
    for groups in ([], [group("a")], [group("a", "=x"), group("b", "=x", "=y")]):
        with pytest.raises(DataError, match="equally many"):
            evaluate_groups(EqualsTask(), groups, None, seed=0)


def test_texts_are_measured_by_their_similarity_to_the_true_one() -> None:
    texts = ["the cat sat on the mat", "the cat sat on the rug", "", "a dog ran in my house"]
    completions = tuple(completion(text) for text in texts)
    groups = [Group(question=Question(id="q", prompt="?"), completions=completions)]
    sheet = AnswerSheet(answers={"q": "the cat sat on the mat"})
    metrics, records = measured(get_task("text"), groups, sheet, seed=0)
    # 1, 5/6, nothing (abstains) and nothing in common
    assert metrics["similarity"] == pytest.approx((1 + 5 / 6) / 4)
    assert metrics["consensus_similarity"] in (pytest.approx(1), pytest.approx(5 / 6))
    assert metrics["self_similarity"] == pytest.approx(2 * 5 / 6 / 3 / 4)
    assert metrics["labeled"] == 1 and "avg@4" not in metrics
    assert records[0]["correct"] is None and records[0]["vote_right"] is None
    assert "curves" not in written(get_task("text"), groups, sheet, seed=0)
    assert "similarity" not in measured(get_task("text"), groups, None, seed=0)[0]


def test_texts_of_a_question_where_everybody_abstains_count_as_not_similar() -> None:
    same = ["the cat sat on the mat"] * 2
    groups = [
        Group(question=Question(id=id, prompt="?"), completions=tuple(map(completion, texts)))
        for id, texts in (("a", same), ("b", ["", ""]))
    ]
    sheet = AnswerSheet(answers={"a": same[0], "b": same[0]})
    metrics, _ = measured(get_task("text"), groups, sheet, seed=0)
    assert metrics["similarity"] == metrics["consensus_similarity"] == 0.5
    assert metrics["self_similarity"] == 0.5 and "avg@2" not in metrics


def test_an_answer_that_leaves_the_unit_out_is_right_too() -> None:
    texts = [r"\boxed{5}", r"\boxed{5 cm}", r"\boxed{5 m}", r"\boxed{5\%}"]
    groups = [
        Group(question=Question(id="q", prompt="?"), completions=tuple(map(completion, texts)))
    ]
    sheet = AnswerSheet(answers={"q": r"5\text{ cm}"})
    metrics, _ = measured(get_task("math"), groups, sheet, seed=0)
    assert metrics["avg@4"] == 2 / 4


def test_curves_and_levels_are_absent_where_nothing_is_known() -> None:
    assert not {"curves", "by_level"} & set(written(EqualsTask(), GROUPS, None, seed=0))
    found = written(EqualsTask(), GROUPS, None, seed=0, levels={"b": "3"})
    assert found["by_level"] == [
        {"level": "3", "questions": 1, "labeled": 0, "majority_ratio": 2 / 4}
    ]
    assert [record["level"] for record in found["questions"]] == [None, "3", None]


def test_curves_are_over_the_labeled_questions() -> None:
    curves = written(EqualsTask(), GROUPS, SHEET, seed=0)["curves"]
    assert curves["k"] == [1, 2, 4]
    assert curves["pass"] == pytest.approx([(2 / 4 + 1 / 4) / 2, (5 / 6 + 3 / 6) / 2, 1.0])
    assert curves["pass"][0] == pytest.approx(curves["maj"][0])
    assert curves["maj"][-1] == 1 / 2 and curves["maj_ci"][-1] == [0.0, 1.0]


def test_levels_by_hand_in_natural_order() -> None:
    groups = [
        group("a", "=X", "none", "=x", "=y"),  # right vote, 2 of 4
        group("b", "=y", "=y", "=x", "=z"),  # wrong vote, 1 of 4
        group("c", "=y", "=y", "=y", "=y"),  # unlabeled
        group("d", "=x", "=x", "=x", "=x"),  # no level
        group("e", "=x", "=x", "=x", "none"),  # right vote, 3 of 4
    ]
    sheet = AnswerSheet(answers=dict.fromkeys("abde", "x"))
    levels = {"a": "Level 10", "b": "Level 2", "c": "Level 2", "e": "Level 10", "other": "Level 1"}
    found = written(EqualsTask(), groups, sheet, seed=0, levels=levels)
    assert found["by_level"] == [
        {
            "level": "Level 2",
            "questions": 2,
            "labeled": 1,
            "avg@k": 1 / 4,
            "avg@k_ci": [1 / 4, 1 / 4],
            "maj@n": 0.0,
            "maj@n_ci": [0.0, 0.0],
            "majority_ratio": (2 / 4 + 1) / 2,
        },
        {
            "level": "Level 10",
            "questions": 2,
            "labeled": 2,
            "avg@k": (2 / 4 + 3 / 4) / 2,
            "avg@k_ci": [2 / 4, 3 / 4],
            "maj@n": 1.0,
            "maj@n_ci": [1.0, 1.0],
            "majority_ratio": (2 / 4 + 3 / 4) / 2,
        },
    ]


def test_levels_of_texts_have_agreement_and_no_accuracy() -> None:
    texts = ["the cat sat on the mat", "the cat sat on the rug"]
    groups = [
        Group(question=Question(id="q", prompt="?"), completions=tuple(map(completion, texts)))
    ]
    sheet = AnswerSheet(answers={"q": texts[0]})
    found = written(get_task("text"), groups, sheet, seed=0, levels={"q": "1"})
    assert [set(row) for row in found["by_level"]] == [
        {"level", "questions", "labeled", "majority_ratio"}
    ]
