import random
from dataclasses import fields

import pytest

from ttrl.data.questions import (
    find_question_column,
    question_ids,
    read_questions,
    split_holdout,
)
from ttrl.data.tables import Table
from ttrl.errors import ConfigError, DataError
from ttrl.types import Question


def table(*rows: dict[str, object], name: str = "t.json") -> Table:
    return Table(
        name=name, rows=list(rows), columns=tuple(dict.fromkeys(c for r in rows for c in r))
    )


def prompts(*rows: dict[str, object], column: str | None = None) -> list[str]:
    return [q.prompt for q in read_questions(table(*rows), column=column, limit=None)]


def test_a_question_has_no_place_for_a_label() -> None:
    assert {f.name for f in fields(Question)} == {"id", "prompt", "task", "options"}


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (["answer", "Question"], ("Question",)),
        (["input", "query", "prompt", "problem", "question"], ("question",)),
        (["input", "query", "prompt", "problem"], ("problem",)),
        (["input", "query", "PROMPT"], ("PROMPT",)),
        (["input", "query"], ("query",)),
        (["input"], ("input",)),
        (["ID", "Question", "Body"], ("Body", "Question")),
        (["Body", "problem"], ("problem",)),
        (["Body"], None),
        ([], None),
    ],
)
def test_the_question_column_is_found_by_its_name(
    columns: list[str], found: tuple[str, ...] | None
) -> None:
    assert find_question_column(columns) == found


def test_a_pair_is_joined_with_a_period_only_where_one_is_missing() -> None:
    assert prompts(
        {"Body": "Ann has 3 pens ", "Question": " How many?"},
        {"Body": "Ann has 3 pens.", "Question": "How many?"},
        {"Body": 'He said "stop!"', "Question": "Why?"},
    ) == ["Ann has 3 pens. How many?", "Ann has 3 pens. How many?", 'He said "stop!" Why?']


def test_the_text_of_a_single_column_stays_as_it_is() -> None:
    assert prompts({"prompt": "\n\ndef f():\n    "}) == ["\n\ndef f():\n    "]


def test_a_chat_gives_its_last_user_message() -> None:
    chat = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "last"},
        {"role": "assistant", "content": "b"},
    ]
    assert prompts({"prompt": chat}) == ["last"]


def test_a_named_column_wins_over_found_ones() -> None:
    assert prompts({"question": "q", "text": "t"}, column="text") == ["t"]


def test_limit_takes_the_first_rows() -> None:
    rows = table(*({"question": str(i)} for i in range(5)))
    assert [q.prompt for q in read_questions(rows, column=None, limit=2)] == ["0", "1"]
    assert len(read_questions(rows, column=None, limit=9)) == 5


@pytest.mark.parametrize("column", ["id", "ID", "question_id", "task_id", "unique_id"])
def test_ids_come_from_their_column_as_text(column: str) -> None:
    assert question_ids(table({column: "a"}, {column: 7}, {column: 8.0})) == ("a", "7", "8")


def test_without_an_id_column_ids_are_row_numbers() -> None:
    questions = read_questions(table({"question": "a"}, {"question": "a"}), column=None, limit=None)
    assert [q.id for q in questions] == ["0", "1"]


@pytest.mark.parametrize(
    ("rows", "column", "parts"),
    [
        ([{"text": "a", "answer": "b"}], None, ["t.json", "text, answer", "--question-column"]),
        ([{"question": "a"}], "text", ["t.json", "'text'", "question", "--question-column"]),
        ([{"question": "a"}, {"question": " \n"}], None, ["t.json row 2", "'question'", "empty"]),
        ([{"question": "a"}, {"question": None}], None, ["t.json row 2", "empty"]),
        ([{"question": "a"}, {"x": "y"}], None, ["t.json row 2", "empty"]),
        ([{"Body": " ", "Question": "q"}], None, ["t.json row 1", "'Body'", "empty"]),
        ([{"question": 7}], None, ["t.json row 1", "got 7", "--question-column"]),
        ([{"prompt": ["a", "b"]}], None, ["t.json row 1", "chat messages"]),
        ([{"prompt": []}], None, ["t.json row 1", "empty"]),
        ([{"prompt": [{"role": "system", "content": "s"}]}], None, ["t.json row 1", "empty"]),
        ([{"prompt": [{"role": "user", "content": ["x"]}]}], None, ["row 1", "chat messages"]),
        (
            [
                {"id": "a", "question": "q"},
                {"id": "b", "question": "q"},
                {"id": "a", "question": "q"},
            ],
            None,
            ["t.json row 3", "t.json row 1", "'a'", "'id'"],
        ),
        ([{"id": 1, "question": "q"}, {"id": "1", "question": "q"}], None, ["row 2", "row 1"]),
        ([{"id": "", "question": "q"}], None, ["t.json row 1", "'id'", "whole number"]),
        ([{"id": True, "question": "q"}], None, ["is True", "whole number"]),
        ([{"id": 1.5, "question": "q"}], None, ["1.5", "whole number"]),
        ([{"id": ["x" * 999], "question": "q"}], None, ["...", "whole number"]),
    ],
)
def test_a_bad_row_is_told_with_its_place(
    rows: list[dict[str, object]], column: str | None, parts: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        read_questions(table(*rows), column=column, limit=None)
    for part in parts:
        assert part in str(caught.value)
    assert len(str(caught.value)) < 400


def numbered(count: int) -> list[Question]:
    return [Question(id=str(i), prompt=f"question {i}") for i in range(count)]


def test_a_split_keeps_the_order_and_loses_nothing() -> None:
    train, held = split_holdout(numbered(50), 0.2, seed=3)
    assert len(held) == 10 and len(train) == 40
    assert sorted(train + held, key=lambda q: int(q.id)) == numbered(50)
    assert [int(q.id) for q in train] == sorted(int(q.id) for q in train)
    assert [int(q.id) for q in held] == sorted(int(q.id) for q in held)


def test_a_split_does_not_depend_on_the_order_of_the_file() -> None:
    texts = [q.prompt for q in numbered(50)]
    random.Random(0).shuffle(texts)
    renumbered = [Question(id=str(i), prompt=text) for i, text in enumerate(texts)]
    held = split_holdout(numbered(50), 0.3, seed=1)[1]
    assert {q.prompt for q in split_holdout(renumbered, 0.3, seed=1)[1]} == {q.prompt for q in held}
    assert split_holdout(numbered(50), 0.3, seed=2)[1] != held


def test_a_larger_share_holds_out_all_that_a_smaller_one_does() -> None:
    small, large = (split_holdout(numbered(50), share, seed=1)[1] for share in (0.2, 0.5))
    assert set(small) < set(large)


@pytest.mark.parametrize(("count", "share"), [(1, 0.5), (10, 0.01), (10, 0.99), (0, 0.5)])
def test_an_empty_side_is_refused(count: int, share: float) -> None:
    with pytest.raises(DataError, match="at least 1 each"):
        split_holdout(numbered(count), share, seed=0)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_share_outside_of_0_and_1_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        split_holdout(numbered(10), share, seed=0)
