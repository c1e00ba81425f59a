import json

import pytest

from ttrl.data.completions import read_groups
from ttrl.errors import DataError


def groups(*rows, unsorted=False):
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    return list(read_groups(lines, name="c.jsonl", unsorted=unsorted))


def shape(found):
    return [(g.question.id, [c.text for c in g.completions]) for g in found]


def test_rows_of_one_id_are_one_group():
    found = groups(
        {"id": "a", "completion": "1"}, {"id": "a", "completion": "2"}, {"id": 7, "completion": "3"}
    )
    assert shape(found) == [("a", ["1", "2"]), ("7", ["3"])]


def test_one_row_per_question_holds_texts_or_objects():
    item = {"completion": "x", "finish_reason": "length", "logprobs": [-1, -2.5], "entropy": [0.5]}
    (found,) = groups({"id": "a", "question": "Why?", "task": "choice", "options": ["u", 2],
                       "completions": ["y", item]})  # fmt: skip
    assert found.question.prompt == "Why?" and found.question.options == ("u", "2")
    assert found.question.task == "choice"
    assert found.completions[0].finish_reason == "stop"
    assert found.completions[1].finish_reason == "length"
    assert found.completions[1].logprobs == (-1.0, -2.5) and found.completions[1].entropy == (0.5,)


def test_rows_without_ids_are_numbered_and_blank_lines_and_a_mark_are_nothing():
    found = groups(b'\xef\xbb\xbf{"completions": ["1"]}', b"\n", {"completions": []})
    assert shape(found) == [("0", ["1"]), ("1", [])]


def test_a_group_is_there_before_the_next_one_is_read():
    def lines():
        yield b'{"id": "a", "completion": "1"}'
        yield b'{"id": "b", "completion": "2"}'
        raise AssertionError("read too far")

    assert next(read_groups(lines(), name="c")).question.id == "a"


def test_an_id_that_comes_back_is_an_error_unless_the_file_is_called_unsorted():
    rows = [{"id": i, "completion": t} for i, t in (("a", "1"), ("b", "2"), ("a", "3"))]
    with pytest.raises(DataError, match=r"c.jsonl line 3: the id 'a' comes back.*--unsorted"):
        groups(*rows)
    assert shape(groups(*rows, unsorted=True)) == [("a", ["1", "3"]), ("b", ["2"])]


def test_hostile_text_is_text():
    (found,) = groups({"id": "a", "completions": ["\x00", "\ud800", "\u202e1"]})
    assert [c.text for c in found.completions] == ["\x00", "\ud800", "\u202e1"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"{", "line 1: broken JSON"),
        (b"\xff{}", "not UTF-8"),
        (b"[" * 100_000, "broken JSON"),
        ([1], "got \\[1\\]"),
        ({"id": "a"}, "exactly one of completion, completions"),
        ({"id": "a", "completion": "1", "completions": []}, "exactly one of"),
        ({"completion": "1"}, "the id is None"),
        ({"id": 1.5, "completion": "1"}, "the id is 1.5"),
        ({"id": "a", "completion": None}, "wanted a text"),
        ({"id": "a", "completions": "1"}, "wanted a list of texts"),
        ({"id": "a", "completions": [1]}, "line 1, completion 0: got 1"),
        ({"id": "a", "completion": "1", "finish_reason": "eos"}, 'wanted "stop" or "length"'),
        ({"id": "a", "completion": "1", "logprobs": ["x"]}, "logprobs is"),
        ({"id": "a", "completion": "1", "logprobs": [float("nan")]}, "logprobs is"),
        ({"id": "a", "completion": "1", "entropy": [10**400]}, "entropy is"),
        ({"id": "a", "completion": "1", "options": ["x", " X"]}, "not all different"),
        ({"id": "a", "completion": "1", "task": "maths"}, "the task is 'maths'"),
        ({"id": "a", "completion": "1", "options": 3}, "the options are 3"),
        ({"id": "a", "completion": "1", "question": 3}, "the question is 3"),
    ],
)
def test_bad_rows_are_told_by_line(row, message):
    with pytest.raises(DataError, match=message):
        groups(row)


def test_the_same_id_in_two_rows_of_completions_is_an_error():
    with pytest.raises(DataError, match="line 2: the id 'a'"):
        groups({"id": "a", "completions": ["1"]}, {"id": "a", "completions": ["2"]})
