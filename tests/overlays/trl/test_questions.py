"""Which question a prompt asks, and that labels are left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ttrl.errors import ConfigError, DataError
from ttrl.overlays.trl.questions import (
    by_prompt,
    find_question,
    labels_of,
    prompt_key,
    questions_of_dataset,
)
from ttrl.types import Question


class Rows:
    """A map-style data set, as far as it is looked at."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = rows
        self.column_names = list(rows[0]) if rows else []

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)


class Stream:
    """One that can be looked at once."""

    column_names = ("prompt",)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter([{"prompt": "a?"}])


CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "b?"}]


def test_texts_and_chats_are_questions_by_the_numbers_of_their_rows() -> None:
    found = questions_of_dataset(Rows([{"prompt": "a?"}, {"prompt": CHAT}]), task="math")
    assert [q.prompt for q in found.values()] == ["a?", "b?"]
    assert len({q.id for q in found.values()}) == 2
    assert find_question(found, CHAT) is find_question(found, [dict(m) for m in CHAT])


@pytest.mark.parametrize("column", ["id", "question_id", "unique_id"])
def test_a_column_of_ids_names_them(column: str) -> None:
    rows = [{"prompt": "a?", column: "first"}, {"prompt": "b?", column: 7}]
    found = questions_of_dataset(Rows(rows), task="math")
    assert [q.id for q in found.values()] == ["first", "7"]


def test_an_id_that_occurs_twice_is_refused() -> None:
    rows = [{"prompt": "a?", "id": "x"}, {"prompt": "b?", "id": "x"}]
    with pytest.raises(DataError, match="'x'"):
        questions_of_dataset(Rows(rows), task="math")


def test_rows_of_one_prompt_are_one_question_under_the_id_of_the_first() -> None:
    rows = [{"prompt": p, "id": i} for p, i in (("a?", "x"), ("b?", "y"), ("a?", "z"))]
    found = questions_of_dataset(Rows(rows), task="math")
    assert [q.id for q in found.values()] == ["x", "y"]


def test_tasks_and_options_come_from_their_columns() -> None:
    rows = [
        {"prompt": "Which?", "kind": "choice", "list": ["a cat", "a dog"]},
        {"prompt": "How many?", "kind": None, "list": None},
    ]
    found = questions_of_dataset(Rows(rows), task="math", task_column="kind", options_column="list")
    first, second = found.values()
    assert (first.task, first.options) == ("choice", ("a cat", "a dog"))
    assert (second.task, second.options) == (None, ())


@pytest.mark.parametrize(
    "differing", [{"task": "number"}, {"options": ("a cat", "a dog")}], ids=["task", "options"]
)
def test_one_prompt_that_is_answered_in_two_ways_is_refused(differing: dict[str, Any]) -> None:
    questions = [Question(id="x", prompt="a?"), Question(id="y", prompt="a?", **differing)]
    with pytest.raises(DataError, match=r"'x' and 'y' have the same prompt.*Change one"):
        by_prompt(questions, ["a?", "a?"])


@pytest.mark.parametrize("column", ["answer", "Answer", "SOLUTION", "label", "target"])
def test_what_is_named_like_a_true_answer_is_never_read(column: str) -> None:
    class Row(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            assert key != column, "a label was read"
            return super().__getitem__(key)

    rows = Rows([Row({"prompt": "a?", column: "42", "level": 3})])
    assert labels_of(rows.column_names) == [column]
    (question,) = questions_of_dataset(rows, task="math").values()
    assert "42" not in repr(question)


def test_columns_that_only_resemble_labels_stay() -> None:
    assert labels_of(["prompt", "answers_count", "labelled", "id", "level"]) == []


@pytest.mark.parametrize("dataset", [Stream(), iter([]), None, [{"prompt": "a?"}]])
def test_a_data_set_that_cannot_be_looked_at_twice_is_refused(dataset: Any) -> None:
    kind = re.escape(type(dataset).__name__)
    with pytest.raises(ConfigError, match=rf"train_dataset is a {kind}, wanted a map-style"):
        questions_of_dataset(dataset, task="math")


def test_a_data_set_without_prompts_is_refused_with_its_columns() -> None:
    with pytest.raises(DataError, match=r"has the columns question, level, wanted 'prompt'"):
        questions_of_dataset(Rows([{"question": "a?", "level": 1}]), task="math")


@pytest.mark.parametrize("prompt", ["", "  ", None, 5, [], [{"role": "system", "content": "x"}]])
def test_a_prompt_without_text_is_refused_with_its_row(prompt: Any) -> None:
    with pytest.raises(DataError, match="train_dataset row 2"):
        questions_of_dataset(Rows([{"prompt": "a?"}, {"prompt": prompt}]), task="math")


def test_keys_of_prompts_are_equal_for_equal_prompts_alone() -> None:
    moved = [dict(reversed(message.items())) for message in CHAT]
    assert prompt_key(CHAT) == prompt_key(moved)
    prompts: list[Any] = [
        "a",
        '"a"',
        ["a"],
        [{"role": "user", "content": "a"}],
        "a ",
        "é",
        "e\u0301",
    ]
    assert len({prompt_key(prompt) for prompt in prompts}) == len(prompts)


def test_a_prompt_that_is_not_known_is_a_question_of_its_own_text() -> None:
    text, chat = find_question({}, "c?"), find_question({}, CHAT)
    assert (text.prompt, chat.prompt) == ("c?", "b?")
    assert text.id.startswith("prompt-") and text.id != chat.id
    assert find_question({}, "c?") == text  # the id decides ties, so it is the prompt's


@pytest.mark.parametrize(
    "prompt", [[], [{"role": "user"}], [{"role": "user", "content": [{"type": "image"}]}], [5]]
)
def test_a_prompt_of_an_unknown_form_is_a_question_without_text(prompt: Any) -> None:
    assert find_question({}, prompt).prompt == ""
