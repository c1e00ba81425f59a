import pytest

from ttrl.answers.tasks import get_task
from ttrl.errors import DataError
from ttrl.overlays.verl.rows import is_labeled, question_of_row, training_row, validation_row
from ttrl.types import Question

MATH = get_task("math")
ASKED = Question(id="7", prompt="What is {x} + 1?", task="choice", options=("a", "b"))


def test_a_training_row_has_votes_and_no_label():
    row = training_row(ASKED, index=3, task=MATH, votes=64, data_source="s")
    assert row["__rollout_n__"] == 64 and row["reward_model"]["ground_truth"] == ""
    assert not is_labeled(row) and row["ability"] == "choice" and row["data_source"] == "s"


def test_a_validation_row_has_a_label_and_no_votes():
    row = validation_row(ASKED, index=3, task=MATH, data_source="s", answer="B")
    assert "__rollout_n__" not in row and row["extra_info"]["votes"] is None
    assert is_labeled(row) and row["reward_model"]["ground_truth"] == "B"


@pytest.mark.parametrize(
    ("answer", "spelled"),
    [
        ("025", "25"), ("142.0", "142"), ("-3.00", "-3"), ("0", "0"), ("000", "0"), ("7.", "7"),
        ("2.50", "2.50"), (r"\frac{1}{2}", r"\frac{1}{2}"), ("1,000", "1,000"), ("", ""), ("-", "-"),
        ("٣", "٣"),
    ],
)  # fmt: skip
def test_whole_numbers_are_spelled_as_models_do_for_graders_that_compare_spellings(answer, spelled):
    asked = Question(id="7", prompt="?")
    row = validation_row(asked, index=0, task=MATH, data_source="s", answer=answer)
    assert row["reward_model"]["ground_truth"] == spelled


def test_labels_that_are_no_numbers_keep_their_spelling():
    asked = Question(id="7", prompt="?", task="label", options=("007", "008"))
    row = validation_row(asked, index=0, task=MATH, data_source="s", answer="007")
    assert row["reward_model"]["ground_truth"] == "007"


def test_the_prompt_asks_as_the_questions_own_task_does():
    (message,) = training_row(ASKED, index=0, task=MATH, votes=2, data_source="s")["prompt"]
    instruction = get_task("choice").for_question(ASKED).instruction
    assert message == {"role": "user", "content": f"What is {{x}} + 1?\n{instruction}"}


def test_a_question_comes_back_as_it_was():
    row = training_row(ASKED, index=3, task=MATH, votes=64, data_source="s")
    assert question_of_row(row["extra_info"], place="?") == (ASKED, 64)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": None}, "extra_info.id is None"),
        ({"id": 7}, "extra_info.id is 7"),
        ({"question": " "}, "extra_info.question is ' '"),
        ({"votes": None}, "extra_info.votes is None"),
        ({"votes": 1}, "extra_info.votes is 1"),
        ({"votes": True}, "extra_info.votes is True"),
        ({"votes": 2.5}, "extra_info.votes is 2.5"),
        ({"task": "maths"}, "'maths'"),
        ({"options": ["a", "a"]}, "not all different"),
        ({"options": 3}, "the options are 3"),
    ],
)
def test_a_row_of_another_make_is_told_with_its_place(change, told):
    row = training_row(ASKED, index=0, task=MATH, votes=2, data_source="s")
    with pytest.raises(DataError) as error:
        question_of_row(row["extra_info"] | change, place="f row 1")
    assert told in str(error.value) and "f row 1" in str(error.value)


@pytest.mark.parametrize("cell", [None, {}, {"ground_truth": None}, {"ground_truth": ""}, ""])
def test_an_empty_label_is_none(cell):
    assert not is_labeled({"reward_model": cell})


@pytest.mark.parametrize("cell", ["7", 0, {"ground_truth": 0}, {"ground_truth": "x"}])
def test_anything_else_is_a_label(cell):
    assert is_labeled({"reward_model": cell})
