"""The task: what a group of completions votes for."""

from __future__ import annotations

from collections import Counter

import pytest

from ttrl.answers.tasks import TASKS, MathTask, get_task
from ttrl.errors import ConfigError
from ttrl.types import Completion, FinishReason, Task


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
