"""What other engines are given is what the native engine trains on."""

from __future__ import annotations

from typing import Any

import pytest

from ttrl.config import RunConfig, resolve
from ttrl.consensus.rules import RULES
from ttrl.errors import ConfigError
from ttrl.overlays.voting import GroupVoter, completion, rewards_of
from ttrl.types import Consensus, Group, Question, RewardRule, ScoredGroup

QUESTION = Question(id="q", prompt="?")
TEXTS = (r"\boxed{1}", r"\boxed{2}", r"\boxed{1.0}", "no idea", r"\boxed{1}", r"\boxed{3}")
VERY_ALIKE = tuple(" ".join(f"word{n}" for n in range(60)) + f" {last}" for last in "aab")
"""Two are equal and the third one nearly is."""


def config_of(**given: Any) -> RunConfig:
    m = {"votes_per_question": 6, "trained_per_question": 4}
    return resolve(m | given, environment={}).values


def voted(config: RunConfig, texts: tuple[str, ...] = TEXTS, *, step: int = 0) -> ScoredGroup:
    completions = [
        completion(QUESTION, text, logprobs=(-0.5 * n,), entropy=(0.25 * n,))
        for n, text in enumerate(texts)
    ]
    return GroupVoter(config).vote(QUESTION, completions, step=step)


def test_who_agrees_with_the_majority_earns_1_by_hand() -> None:
    group = voted(config_of())
    assert group.kept == (0, 1, 2, 3)  # the first four of six
    assert rewards_of(group, group.kept) == [1.0, 0.0, 1.0, 0.0]
    assert group.rewards == (1.0, 0.0, 1.0, 0.0, 1.0, 0.0)  # the vote is that of all six
    assert group.consensus.majority_ratio == 3 / 6


@pytest.mark.parametrize("choice", ["first", "random", "spread", "extremes"])
@pytest.mark.parametrize("reward", sorted(RULES))
def test_rewards_and_choice_are_those_of_the_rule_and_of_the_step(
    reward: str, choice: str, vote_and_score: Any
) -> None:
    config = config_of(reward=reward, trained_choice=choice, seed=5)
    group = voted(config, step=3)
    expected = vote_and_score(group.group, step=3, config=config)
    assert group == expected
    assert rewards_of(group, group.kept) == [reward for _, reward in expected.trained]


def test_random_ones_change_with_the_step_and_not_with_the_call() -> None:
    config = config_of(trained_choice="random")
    by_step = [voted(config, step=step).kept for step in range(20)]
    assert by_step == [voted(config, step=step).kept for step in range(20)]
    assert len(set(by_step)) > 3


def test_spread_trains_on_both_ends() -> None:
    group = voted(config_of(trained_choice="spread"))
    assert group.kept == (0, 1, 2, 3) and rewards_of(group, group.kept) == [1.0, 0.0, 1.0, 0.0]
    one = (r"\boxed{1}",) * 5 + (r"\boxed{2}",)
    assert voted(config_of(trained_choice="spread"), one).kept == (0, 1, 2, 5)


def test_extremes_trains_on_the_most_and_the_least_frequent_answers() -> None:
    group = voted(config_of(trained_choice="extremes", trained_per_question=2))
    assert rewards_of(group, group.kept) == [1.0, 0.0]
    one = (r"\boxed{1}",) * 5 + (r"\boxed{2}",)
    assert voted(config_of(trained_choice="extremes"), one).kept == (0, 1, 2, 5)


def test_a_group_that_the_rule_leaves_out_teaches_nothing() -> None:
    group = voted(config_of(task="text"), VERY_ALIKE)
    assert group.skipped is not None and len(set(group.rewards)) > 1
    assert group.kept == (0, 1, 2) and rewards_of(group, group.kept) == [0.0, 0.0, 0.0]


def test_the_answer_key_is_refused_where_no_rule_is_given() -> None:
    with pytest.raises(ConfigError, match="reward=answer-key needs true answers"):
        GroupVoter(config_of(reward="answer-key"))


def test_a_rule_that_is_given_decides() -> None:
    def last_one(group: Group, consensus: Consensus) -> tuple[float, ...]:
        return (*(0.0,) * (len(group.completions) - 1), 1.0)

    config = config_of(reward="answer-key", trained_per_question=6)
    completions = [completion(QUESTION, text) for text in TEXTS]
    voter = GroupVoter(config, rule=RewardRule(rewards=last_one))
    group = voter.vote(QUESTION, completions, step=0)
    assert rewards_of(group, group.kept) == [0.0] * 5 + [1.0]


def test_a_cut_completion_abstains_unless_it_is_boxed() -> None:
    def answer(text: str, reason: Any) -> str | None:
        return GroupVoter(config_of()).task.extract(
            completion(QUESTION, text, finish_reason=reason)
        )

    assert answer("The answer is 7", "stop") == "7"
    assert answer("The answer is 7", "length") is None
    assert answer(r"\boxed{7} and", "length") == "7"


def test_a_question_of_a_task_of_its_own_is_read_by_it() -> None:
    asked = Question(id="c", prompt="?", task="choice", options=("a cat", "a dog"))
    votes = [completion(asked, text) for text in (r"\boxed{B}", r"\boxed{a dog}", r"\boxed{A}")]
    group = GroupVoter(config_of(trained_per_question=2)).vote(asked, votes, step=0)
    assert group.rewards == (1.0, 1.0, 0.0)


def test_more_to_train_on_than_there_are_votes_are_all_of_them() -> None:
    assert voted(config_of(), TEXTS[:3]).kept == (0, 1, 2)
