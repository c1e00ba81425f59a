"""What happens to a group's answers beyond the fast key of each."""

import pytest

from ttrl.answers import exact
from ttrl.answers.exact import KILL_LIMIT, READ_LIMIT, MathTask, NumberTask
from ttrl.answers.slow_path import Reading


def test_answers_with_functions_join_by_a_slow_reading():
    keyed = MathTask().keys([r"\sin 30^\circ", "1/2", r"\frac{\cos x}{\sin x}", r"\cot x", None])
    assert keyed.keys[0] == keyed.keys[1] == ("n", 1, 2)
    assert keyed.keys[2] == keyed.keys[3] and keyed.keys[4] is None
    assert keyed.unread == 0 and keyed.killed == 0


def test_what_nobody_understands_is_equal_to_its_own_spelling_and_counted():
    keyed = MathTask().keys([r"\foo{x}+1", r" \foo{x} + 1", r"\foo{y}+1", "7"])
    assert keyed.keys[0] == keyed.keys[1] != keyed.keys[2]
    assert keyed.unread == 3


@pytest.fixture
def reader(monkeypatch):
    """Replaces the slow reader by a script and lists what it was asked."""
    asked: list[str] = []

    def read(answer):
        asked.append(answer)
        if "kill" in answer:
            return Reading(spelling=None, values=None, killed=True)
        return Reading(spelling="7", values=None, killed=False)

    monkeypatch.setattr(exact, "read_slowly", read)
    return asked


def test_killed_answers_stay_their_own_classes_and_end_the_reading_of_the_group(reader):
    bombs = [rf"\kill_{n}(x)" for n in range(5)]
    keyed = MathTask().keys([*bombs, *bombs, r"\fine(x)", "7"])
    assert keyed.killed == KILL_LIMIT and len(reader) == KILL_LIMIT
    assert len(set(keyed.keys[:5])) == 5 and keyed.keys[:5] == keyed.keys[5:10]


def test_frequent_answers_are_read_first_whatever_the_order(reader):
    answers = [r"\a(x)", r"\b(x)", r"\b(x)"]
    MathTask().keys(answers)
    MathTask().keys(answers[::-1])
    assert reader[:2] == reader[2:] and r"\b" in reader[0]


def test_a_reading_joins_the_class_it_names(reader):
    assert MathTask().keys([r"\fine(x)", "7"]).keys == (("n", 7, 1), ("n", 7, 1))


def test_a_unit_is_part_of_an_answer_whatever_else_is_in_the_group():
    keys = MathTask().keys(["5", "5 cm", r"5\text{ cm}", "5 m"]).keys
    assert keys[1] == keys[2] and len(set(keys)) == 3


def test_a_hashed_answer_is_not_read_slowly(reader):
    MathTask().keys([r"\sin x+" * 70 + "x"])
    assert reader == []


def test_a_number_task_drops_units_signs_and_words():
    task = NumberTask()
    keys = task.keys(["$18", "18 dollars", "18.00", "18%", "18 eggs", "eggs", None]).keys
    assert keys == (("n", 18, 1),) * 5 + (None, None)


def test_a_group_of_many_unread_answers_has_a_bounded_cost(reader):
    MathTask().keys([rf"\fine_{n}(x)" for n in range(64)] + [r"\often(x)"] * 2)
    assert len(reader) == READ_LIMIT and r"\often" in reader[0]
