"""The task: what a group of completions votes for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from ttrl.answers import tasks
from ttrl.answers.slow.path import Reading
from ttrl.answers.tasks import (
    KILL_LIMIT,
    READ_LIMIT,
    TASKS,
    ChoiceTask,
    CodeTask,
    LabelTask,
    MathTask,
    NumberTask,
    TextTask,
    get_task,
)
from ttrl.errors import ConfigError
from ttrl.types import Completion, FinishReason, Question, Task


def completion(text: str, finish_reason: FinishReason = "stop") -> Completion:
    return Completion(
        question_id="q",
        prompt_ids=(1,),
        token_ids=(2,),
        logprobs=(-0.5,),
        entropy=(0.5,),
        finish_reason=finish_reason,
        policy_version=0,
        text=text,
    )


def votes(*completions: Completion) -> Counter[object]:
    """Keys with their votes; None counts the abstentions."""
    task: Task = MathTask()
    answers = [task.extract(c) for c in completions]
    return Counter(None if a is None else task.key(a) for a in answers)


def test_equal_spellings_vote_together():
    """Three 0.5, three 1/2 and four 3: six of ten agree on one half."""
    texts = [r"\boxed{0.5}"] * 3 + [r"\boxed{\frac12}"] * 3 + [r"\boxed{3}"] * 4
    assert votes(*map(completion, texts)) == {("n", 1, 2): 6, ("n", 3, 1): 4}


def test_completions_without_an_answer_abstain_and_form_no_class():
    texts = ["I do not know", "", r"\boxed{}", r"\boxed{$$}", r"\boxed{7}"]
    assert votes(*map(completion, texts)) == {None: 4, ("n", 7, 1): 1}


def test_a_completion_cut_at_the_length_limit_needs_a_complete_box():
    cut = [completion(text, "length") for text in ("ok 3. Next, step 3", "The answer is 3")]
    assert votes(*cut, completion(r"\boxed{42} so", "length")) == {None: 2, ("n", 42, 1): 1}


def test_a_long_answer_is_keyed_too():
    task = MathTask()
    assert task.key("9" * 100_000) == task.key(" " + "9" * 100_000) != task.key("9" * 100_001)


def test_every_task_is_found_by_its_name():
    for name in TASKS:
        assert get_task(name).name == name
    assert get_task("math").instruction == (
        r"Please reason step by step, and put your final answer within \boxed{}."
    )


def test_an_unknown_task_is_a_config_error_that_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"task='maths'.*math"):
        get_task("maths")


# Mathematics and numbers: what happens to a group's answers beyond the fast key of each ---------


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

    monkeypatch.setattr(tasks, "read_slowly", read)
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


# Choices and labels ----------------------------------------------------------------------------


def answers(task, question, texts, make_group):
    task = task.for_question(question)
    return [task.extract(c) for c in make_group(texts).completions]


def test_options_come_from_the_question_or_are_found_in_its_text(make_group):
    texts = ["The answer is C.", r"\boxed{b}", "It is a planet"]
    listed = Question(id="q", prompt="Which?\n(A) one\n(B) two\n(C) three")
    given = Question(id="q", prompt="Which?", options=("one", "two"))
    assert answers(ChoiceTask(), listed, texts, make_group) == ["C", "B", None]
    assert answers(ChoiceTask(), given, texts, make_group) == [None, "B", None]


def test_the_true_answer_may_be_a_letter_or_an_options_text():
    task = ChoiceTask().for_question(Question(id="q", prompt="", options=("12 km", "13 km")))
    assert task.key("B") == task.key("(b)") == task.key("13 km") == ("c", "B")
    assert task.key("C") is None


def test_labels_are_asked_for_and_kept_to(make_group):
    question = Question(id="q", prompt="Spam?", options=("spam", "not spam"))
    task = LabelTask().for_question(question)
    assert task.instruction.endswith("It is one of: spam, not spam.")
    texts = [r"\boxed{Not Spam}", "Label: spam", "eggs"]
    assert answers(LabelTask(), question, texts, make_group) == ["not spam", "spam", None]


# Texts and programs ----------------------------------------------------------------------------

STUB = 'def add(a, b):\n    """Adds two numbers."""\n'
QUESTION = Question(
    id="q", prompt="Explain in your own words why the sky is blue at noon in summer."
)


def read(task, text, make_group, reason="stop"):
    return task.extract(make_group([text], reasons=[reason]).completions[0])


def test_a_text_is_its_own_answer_without_the_reasoning(make_group):
    task = TextTask().for_question(QUESTION)
    text = "Short waves are scattered more than long ones."
    assert read(task, f"<think>hm</think>\n {text} ", make_group) == text
    assert task.key(text) == task.key(text.upper() + "  ") != task.key(text + " Really.")


def test_empty_cut_copied_and_looping_texts_abstain(make_group):
    task = TextTask().for_question(QUESTION)
    assert read(task, "", make_group) is None
    assert read(task, "Short waves are scattered more than", make_group, "length") is None
    assert read(task, QUESTION.prompt, make_group) is None
    assert read(task, "It is blue because it is blue. " * 30, make_group) is None


def test_a_program_that_does_not_parse_or_gives_the_stub_back_abstains(make_group):
    task = CodeTask().for_question(Question(id="q", prompt=STUB))
    body = f"```python\n{STUB}    return a + b\n```"
    assert read(task, body, make_group) == f"{STUB}    return a + b\n"
    assert read(task, f"```python\n{STUB}    return a +\n```", make_group) is None
    assert read(task, f"```python\n{STUB}```", make_group) is None
    assert read(task, f"```python\n{STUB}    pass\n```", make_group) is None
    assert read(task, body[:-4], make_group, "length") is None


def test_a_stub_that_does_not_parse_is_no_stub():
    task = CodeTask().for_question(replace(QUESTION, prompt="Write add(a, b)."))
    assert task.stub is None
