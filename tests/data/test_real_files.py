"""The published files that have to work as they are."""

from pathlib import Path

import pytest

from ttrl.data.questions import question_ids, read_questions
from ttrl.data.tables import Table, read_rows
from ttrl.errors import DataError
from ttrl.evaluation.answer_key import read_answers

FOLDER = Path(__file__).parents[2].parent / "shared" / "data"


def load(name: str) -> Table:
    if not (FOLDER / name).is_file():
        pytest.skip(f"{FOLDER / name} is not here: it lies beside the repository, not in it")
    return read_rows(str(FOLDER / name))


@pytest.mark.parametrize(
    ("name", "count", "first_id", "start", "answer"),
    [
        ("aime24.json", 30, "0", "Every morning Aya goes", "204"),
        ("amc.json", 83, "0", "$\\frac{m}{n}$ is the", "142.0"),
        ("gsm8k_test.jsonl", 1319, "0", "Janet\u2019s ducks lay 16 eggs", "18"),
        ("math500.jsonl", 500, "test/precalculus/807.json", "Convert the point", None),
        ("svamp.json", 1000, "chal-1", "Each pack of dvds costs 76 dollars.", "51.0"),
    ],
)
def test_questions_and_answers_of_a_published_file(
    name: str, count: int, first_id: str, start: str, answer: str | None
) -> None:
    table = load(name)
    questions = read_questions(table, column=None, limit=None)
    assert len(questions) == count and questions[0].id == first_id
    assert questions[0].prompt.startswith(start)
    sheet = read_answers(table, column=None, ids=question_ids(table))
    assert set(sheet.answers) == {question.id for question in questions}
    assert answer in (None, sheet.get(first_id))
    assert max(map(len, sheet.answers.values())) < 60  # an answer, not a solution


def test_every_answer_of_gsm8k_is_a_number() -> None:
    table = load("gsm8k_test.jsonl")
    sheet = read_answers(table, column=None, ids=question_ids(table))
    assert all(answer.replace(",", "").lstrip("-").isdigit() for answer in sheet.answers.values())


def test_svamp_joins_the_story_and_the_question() -> None:
    question = read_questions(load("svamp.json"), column=None, limit=1)[0]
    assert question.prompt == (
        "Each pack of dvds costs 76 dollars. If there is a discount of 25 dollars on each pack. "
        "How much do you have to pay to buy each pack?"
    )


def test_humaneval_has_questions_but_no_answers_to_compare() -> None:
    table = load("humaneval.jsonl")
    questions = read_questions(table, column=None, limit=None)
    assert len(questions) == 164 and questions[0].id == "HumanEval/0"
    with pytest.raises(DataError, match="canonical_solution"):
        read_answers(table, column=None, ids=question_ids(table))
