"""How votes come from TRL's generation, and when they are measured."""

from __future__ import annotations

from typing import Any

import pytest

from ttrl.config import resolve
from ttrl.overlays.trl.draw import draw, measure
from ttrl.overlays.trl.questions import by_prompt
from ttrl.overlays.trl.rollout import RolloutStep, VotingRollout
from ttrl.overlays.voting import GroupVoter
from ttrl.types import Question

END, PAD = 0, 1


def rewards(task: object, group: Any, consensus: object) -> list[float]:
    """A user's rule that wants the surest completion."""
    return [sum(completion.logprobs) for completion in group.completions]


@pytest.fixture
def script(line: Any) -> dict[str, list[Any]]:
    return {p: [line(text=f"{p}{n}" * (n + 1)) for n in range(3)] for p in ("long prompt", "p")}


def drawn(trainer: Any, script: Any, **given: Any) -> Any:
    given = {"votes": 3, "rows_at_once": None, "measured": False} | given
    return draw(trainer, list(script), **given)


@pytest.mark.parametrize(("at_once", "sizes"), [(None, [6]), (6, [6]), (4, [4, 2]), (1, [1] * 6)])
def test_transformers_draws_as_many_rows_at_once_as_fit(
    make_trainer, script, at_once, sizes
) -> None:
    trainer = make_trainer(script, num_generations=2)
    groups = drawn(trainer, script, rows_at_once=at_once)
    assert trainer.calls == [(rows, 3) for rows in sizes]
    assert [g.texts for g in groups] == [[line.text for line in lines] for lines in script.values()]
    assert [g.completion_ids for g in groups] == [
        [line.ids for line in lines] for lines in script.values()
    ]


def test_vllm_gets_whole_groups_at_once_whatever_transformers_could_hold(
    make_trainer, script
) -> None:
    trainer = make_trainer(script, num_generations=2, use_vllm=True)
    groups = drawn(trainer, script, rows_at_once=2)
    assert trainer.calls == [(6, 3)]
    assert [g.sampler_logprobs for g in groups] == [
        [line.logprobs for line in lines] for lines in script.values()
    ]


def test_no_sampler_log_probabilities_are_none_and_not_zeros(make_trainer, script) -> None:
    (first, _) = drawn(make_trainer(script, num_generations=2), script)
    assert first.sampler_logprobs is None and first.logprobs is None and first.entropy is None


def test_a_completion_has_ended_if_its_last_token_is_an_end_token_or_padding(
    make_trainer, line
) -> None:
    trainer = make_trainer({"p": []}, num_generations=2, eos_token_ids=(END, 7))
    rows = [[5, END], [5, 7], [5, PAD], [5], [END, 5], []]
    trainer._generate_single_turn = lambda *_: (rows, None)
    (group,) = draw(trainer, ["p"], votes=6, rows_at_once=None, measured=False)
    assert group.ended == [True, True, True, False, False, False]


def test_what_was_cut_abstains_unless_it_holds_a_complete_box(make_trainer, line) -> None:
    steps: list[RolloutStep] = []
    config = resolve({"votes_per_question": 4, "trained_per_question": 4}, environment={}).values
    questions = by_prompt([Question(id="q", prompt="p")], ["p"])
    hooks = VotingRollout(GroupVoter(config), questions, on_step=steps.append)
    lines = [
        line(text=r"\boxed{7} is it, I", ended=False),
        line(text="The answer is 8", ended=False),
        line(text="The answer is 7"),
        line(text=r"\boxed{8", ended=False),
    ]
    rows = hooks.rollout(["p"] * 4, make_trainer({"p": lines}, num_generations=4))
    assert rows["ttrl_reward"] == [1.0, 0.0, 1.0, 0.0]
    assert steps[0].votes[0]["abstained"] == 2 and steps[0].votes[0]["counts"] == [2]
    assert steps[0].metrics["sample/truncated_rate"] == 3 / 4


def test_measured_numbers_are_those_of_each_completions_own_tokens(make_trainer, script) -> None:
    trainer = make_trainer(script, num_generations=2)
    groups = drawn(trainer, script, measured=True)
    assert trainer.measured == [6]
    for group, lines in zip(groups, script.values(), strict=True):
        assert group.logprobs == [line.logprobs for line in lines]
        assert group.entropy == [line.entropy for line in lines]


def test_prompts_are_padded_at_the_left_and_completions_at_the_right(make_trainer) -> None:
    seen: list[Any] = []

    def forward(model: Any, ids: Any, mask: Any, kept: int, **_: Any) -> Any:
        seen.append((ids.tolist(), mask.tolist(), kept))
        return ids[:, -kept:], ids[:, -kept:], None

    trainer = make_trainer({}, num_generations=2)
    trainer._get_per_token_logps_and_entropies = forward
    found, _ = measure(trainer, [[11, 12, 13], [21]], [[31], [41, 42]])
    assert seen == [
        (
            [[11, 12, 13, 31, PAD], [PAD, PAD, 21, 41, 42]],
            [[1, 1, 1, 1, 0], [0, 0, 1, 1, 1]],
            2,
        )
    ]
    assert found == [[31.0], [41.0, 42.0]]


MEASURES = [
    # reward, with vLLM, without: which forward passes over the votes are made
    ("agreement", 0, 0),
    ("majority", 0, 0),
    ("soft", 0, 0),
    ("random", 0, 0),
    ("confidence", 0, 1),  # vLLM tells log-probabilities
    ("selective", 1, 1),  # nobody tells entropies
    ("my.module:rewards", 1, 1),  # a function of the user's may read either
]


@pytest.mark.parametrize("weight", [0.0, 0.1])
@pytest.mark.parametrize(("reward", "with_vllm", "without"), MEASURES)
def test_votes_are_measured_for_the_rules_alone_that_read_what_no_sampler_tells(
    make_trainer, line, monkeypatch, reward, with_vllm, without, weight
) -> None:
    monkeypatch.setattr("ttrl.consensus.rules.load_function", lambda name: rewards)
    given = {"votes_per_question": 3, "trained_per_question": 2, "selective_entropy": weight}
    config = resolve(given | {"reward": reward}, environment={}).values
    for use_vllm, passes in ((True, with_vllm), (False, without)):
        lines = [line(text=rf"\boxed{{{n}}}") for n in range(3)]
        trainer = make_trainer({"p": lines}, num_generations=2, use_vllm=use_vllm)
        hooks = VotingRollout(GroupVoter(config), by_prompt([Question(id="q", prompt="p")], ["p"]))
        rows = hooks.rollout(["p", "p"], trainer)
        assert trainer.measured == [3] * passes
        if reward.endswith(":rewards"):
            assert rows["ttrl_reward"] == [sum(line.logprobs) for line in lines[:2]]
