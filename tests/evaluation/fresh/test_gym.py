import importlib.metadata
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ttrl
from ttrl.answers.tasks import get_task
from ttrl.data.questions import texts_of
from ttrl.errors import ConfigError
from ttrl.evaluation.fresh import gym
from ttrl.evaluation.fresh.gym import GYM_TASKS, OPTIONS, gym_questions
from ttrl.types import Completion, Question


@pytest.fixture
def installed():
    return pytest.importorskip("reasoning_gym", reason="the extra 'fresh' is not installed")


def completion(text):
    return Completion(
        question_id="q", prompt_ids=(), token_ids=(), logprobs=(), entropy=(), finish_reason="stop",
        policy_version=0, text=text,
    )  # fmt: skip


def test_questions_are_distinct_new_repeatable_and_answered(installed):
    first = gym_questions("lcm", count=20, seed=0)
    assert len(first.questions) == len(texts_of(first.questions)) == 20
    for question in first.questions:
        numbers = map(int, re.findall(r"\d+", question.prompt.partition(":")[2]))
        assert first.answers.get(question.id) == str(math.lcm(*numbers))
        assert question.task == "number"
    assert gym_questions("lcm", count=20, seed=0) == first
    known = texts_of(first.questions[:5])
    other = gym_questions("lcm", count=20, seed=0, known=known)
    assert not texts_of(other.questions) & known


def test_every_task_of_the_list_is_scored_by_our_equality_and_ignores_the_hash_seed(installed):
    script = (
        "import json, sys\n"
        "from ttrl.evaluation.fresh.gym import print_items\n"
        "for name, options in json.loads(sys.argv[1]).items():\n"
        "    print_items(name, {'size': 12, 'seed': 3, **options}); print()\n"
    )
    order = json.dumps({name: OPTIONS.get(name, {}) for name in GYM_TASKS})
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script, order],
            env=os.environ
            | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(ttrl.__file__).parents[1])},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "7")
    ]
    assert outputs[0] == outputs[1]
    task = get_task("math")
    for (name, own), line in zip(GYM_TASKS.items(), outputs[0].splitlines(), strict=True):
        items = json.loads(line)
        keys = []
        for prompt, answer in items:
            reader = task.for_question(Question(id="q", prompt=prompt, task=own))
            key = reader.key(answer)
            found = reader.extract(completion(rf"So the answer is \boxed{{{answer}}}."))
            assert key is not None and found is not None and reader.key(found) == key, name
            keys.append(key)
        spellings = {answer for _, answer in items}
        assert len(set(keys)) == len(spellings) > 1, name  # different answers are not equal


def test_a_missing_package_names_the_extra(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ConfigError, match=r"pip install 'ttrl\[fresh\]'"):
        gym_questions("lcm", count=1, seed=0)


def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.1.19")
    with pytest.raises(ConfigError, match=r"0\.1\.19 is installed, wanted 0\.1\.25"):
        gym_questions("lcm", count=1, seed=0)


def test_a_task_that_takes_too_long_is_ended(installed, monkeypatch):
    monkeypatch.setattr(gym, "SECONDS", 1e-6)  # no process ends in a microsecond
    with pytest.raises(ConfigError, match="not made in"):
        gym_questions("lcm", count=1, seed=0)


def test_a_failing_package_is_told_in_one_line(installed, monkeypatch):
    monkeypatch.setitem(gym.OPTIONS, "lcm", {"no_such_option": []})
    with pytest.raises(ConfigError, match=r"reasoning-gym failed .*no_such_option"):
        gym_questions("lcm", count=1, seed=0)
