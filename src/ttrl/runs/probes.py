"""A probe: whether a run is worth starting, for one to three percent of its cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ttrl.config import RunConfig, settle
from ttrl.consensus.rules import ANSWER_KEY, check_rule, make_rule
from ttrl.errors import ConfigError
from ttrl.probing.result import ProbeResult
from ttrl.runs.calls import layers_of_call
from ttrl.runs.plan import check_memory, memory_estimate
from ttrl.runs.session import Session, open_session

if TYPE_CHECKING:
    from ttrl.probing.draw import Voted

QUESTIONS, VOTES, FEWEST = 48, 8, 4


def probe(
    *,
    probe_questions: int = QUESTIONS,
    probe_votes: int = VOTES,
    on_message: Callable[[str], object] | None = None,
    **settings: Any,
) -> ProbeResult:
    """Predicts whether test-time reinforcement learning will work with a model, questions and settings.

    It draws a few votes and makes two trial updates that are discarded. The verdict uses no labels, and
    nothing is written or printed.

    Args:
        probe_questions: that are asked, 4 or more; all if there are fewer.
        probe_votes: on each of them, 4 or more.
        on_message: called with a line when sampling begins.
        **settings: those of `ttrl train`, but for those that say where its results go.

    Raises:
        TtrlError: whatever ends the command with an error ends the call with the same one.
    """
    counts = probe_counts(probe_questions, probe_votes, source="probe()")
    layers = layers_of_call("probe", settings, own=("probe_questions", "probe_votes"))
    for key in layers.beside:  # they say how closely to look at a run, not what the run is
        raise ConfigError(f"probe(): {key} is no key of a config file. Give it to the call.")
    config = settle(layers).values
    return carry_out_probe(config, *counts, say=on_message or (lambda line: None))


def probe_counts(questions: object, votes: object, *, source: str) -> tuple[int, int]:
    """Checks how closely to look, and returns both numbers.

    Raises:
        ConfigError: one is no whole number from 4 to 1000000.
    """
    found = []
    for key, value in (("probe_questions", questions), ("probe_votes", votes)):
        text = str(value)
        if not text.isascii() or not text.isdigit() or not FEWEST <= int(text) <= 10**6:
            raise ConfigError(
                f"{source}: {key}={text!r}: wanted a whole number from {FEWEST} to 1000000."
            )
        found.append(int(text))
    return found[0], found[1]


def carry_out_probe(
    config: RunConfig, questions: int, votes: int, *, say: Callable[[str], object]
) -> ProbeResult:
    """Samples votes, makes two trial updates and judges what they show.

    Raises:
        ConfigError: a run that learns from true answers, or that cannot fit into memory.
    """
    check_rule(config)
    if config.reward == ANSWER_KEY:
        raise ConfigError(
            "reward=answer-key learns from true answers, and the probe is about runs without them. Leave "
            "reward out."
        )
    session = open_session(config.model_copy(update={"peer": None}))  # it is never asked
    check_memory(session.model, config)
    asked = min(questions, len(session.training.questions))
    say(f"probe       {asked} questions x {votes} votes, then two updates that are thrown away")
    if config.label_votes:
        say(
            f"labels      votes of {', '.join(config.label_votes)} are left out: the probe elects by votes "
            "on the questions and on their views"
        )
    return _probe(session, questions=questions, votes=votes)


def _probe(session: Session, *, questions: int, votes: int) -> ProbeResult:
    from ttrl.engine.learner import learner_from
    from ttrl.probing.draw import choose_questions, draw
    from ttrl.probing.result import forecast
    from ttrl.probing.signals import measure
    from ttrl.probing.trial import UPDATES, run_trial
    from ttrl.probing.verdict import advise, judge
    from ttrl.rl.algorithms.registry import make_algorithm

    config, task, sampler = session.config, session.task, session.voter
    unlabeled = session.training.questions
    chosen = choose_questions(unlabeled, questions, seed=config.seed)
    begin = time.perf_counter()
    draws = draw(chosen, sampler=sampler, task=task, config=config, votes=votes)
    share = config.trained_per_question / config.votes_per_question
    signals = measure(draws, task=task, tie_seed=config.seed, trained_share=share)
    algorithm = make_algorithm(config)
    learner = learner_from(session.source, session.model, algorithm, config)
    trial = run_trial(
        draws,
        sampler=sampler,
        learner=learner,
        task=task,
        rule=make_rule(config),
        algorithm=algorithm,
        config=config,
    )
    seconds = time.perf_counter() - begin
    cost = forecast(
        signals,
        trial,
        config,
        questions=len(unlabeled),
        evaluated=sum(len(s.questions[: config.eval_limit]) for s in session.evaluated),
        vote_seconds=draws.vote_seconds,
        probe_seconds=seconds,
        probe_completions=draws.completions + trial.sampled + UPDATES * trial.completions,
        probe_tokens=sampler.sampled_tokens,
    )
    verdict = judge(signals, trial)
    return ProbeResult(
        verdict=verdict.name,
        reasons=verdict.reasons,
        signals=signals,
        trial=trial,
        advice=advise(signals, trial, draws.votes, config),
        cost=cost,
        memory=memory_estimate(session.model, config, session.prompt_tokens),
        label_accuracy=_label_accuracy(session, draws.labels),
    )


def _label_accuracy(session: Session, votes: Sequence[Voted]) -> float | None:
    """Share of right pseudo-labels among the probe's questions with an exact answer; None without any."""
    answers = session.labels[session.training.name].answers
    if answers is None:
        return None
    right = []
    for voted in votes:
        task = session.task.for_question(voted.group.question)
        answer = answers.answers.get(voted.group.question.id)
        key = None if answer is None else task.key(answer)
        if key is not None and voted.consensus.centrality is None:
            right.append(voted.elected == key)
    return sum(right) / len(right) if right else None
