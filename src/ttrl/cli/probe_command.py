"""`ttrl probe`: whether a run is worth starting, for one to three percent of its cost."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ttrl.cli.options import make_parser, parse
from ttrl.config import resolve
from ttrl.consensus.rules import ANSWER_KEY, check_rule, make_rule
from ttrl.errors import EXIT_DONE, ConfigError
from ttrl.runs.memory import check_memory, memory_estimate

if TYPE_CHECKING:
    from ttrl.probe.advice import Advice
    from ttrl.probe.cost import Cost
    from ttrl.probe.draw import Voted
    from ttrl.probe.signals import Signals
    from ttrl.probe.trial import Trial
    from ttrl.probe.verdict import Verdict
    from ttrl.runs.session import Session

SUMMARY = (
    "Predict whether test-time reinforcement learning will work with this model, these questions and "
    "these settings, from a few votes and two trial updates that are discarded. The verdict uses no "
    "labels, and nothing is written. The options are those of ttrl train."
)
QUESTIONS, VOTES, FEWEST = 48, 8, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    signals: Signals
    trial: Trial
    verdict: Verdict
    advice: Advice
    cost: Cost
    memory: Mapping[str, int]
    label_accuracy: float | None
    """Of the probe's votes. Told, and used for nothing."""


def run(arguments: Sequence[str]) -> int:
    """Samples, tries, judges; 0 whatever the verdict."""
    given = parse(_parser(), arguments)
    questions = _count(given, "probe_questions", QUESTIONS)
    votes = _count(given, "probe_votes", VOTES)
    config = resolve(given).values
    check_rule(config)
    if config.reward == ANSWER_KEY:
        raise ConfigError(
            "reward=answer-key learns from true answers, and the probe is about runs without them. Leave "
            "reward out."
        )

    from ttrl.recording.console import say
    from ttrl.runs.session import open_session

    session = open_session(config)
    check_memory(session.model, config)
    asked = min(questions, len(session.training.questions))
    say(f"probe       {asked} questions x {votes} votes, then two updates that are thrown away")
    found = _probe(session, questions=questions, votes=votes)
    stream = sys.stderr if config.json_output else sys.stdout
    print("\n".join(_lines(found)), file=stream)
    if config.json_output:
        print(json.dumps(_as_json(found), allow_nan=False))
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = make_parser("probe", SUMMARY)
    own = parser.add_argument_group("Probe")
    own.add_argument("--probe-questions", metavar="N", help=f"questions to ask [{QUESTIONS}]")
    own.add_argument("--probe-votes", metavar="N", help=f"votes on each question [{VOTES}]")
    return parser


def _count(given: dict[str, Any], key: str, default: int) -> int:
    text = str(given.pop(key, default))
    if not text.isascii() or not text.isdigit() or not FEWEST <= int(text) <= 10**6:
        raise ConfigError(
            f"command line: {key}={text!r}: wanted a whole number from {FEWEST} to 1000000."
        )
    return int(text)


def _probe(session: Session, *, questions: int, votes: int) -> _Found:
    from ttrl.engine.learner import learner_from
    from ttrl.probe.advice import advise
    from ttrl.probe.cost import forecast
    from ttrl.probe.draw import choose_questions, draw
    from ttrl.probe.signals import measure
    from ttrl.probe.trial import UPDATES, run_trial
    from ttrl.probe.verdict import judge
    from ttrl.rl.algorithms.registry import make_algorithm

    config, task, sampler = session.config, session.task, session.voter
    unlabeled = session.training.questions
    chosen = choose_questions(unlabeled, questions, seed=config.seed)
    begin = time.perf_counter()
    draws = draw(chosen, sampler=sampler, task=task, config=config, votes=votes)
    signals = measure(draws, task=task, tie_seed=config.seed)
    algorithm = make_algorithm(config)
    learner = learner_from(session.source, session.model, algorithm, config)
    trial = run_trial(
        draws.votes,
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
    return _Found(
        signals=signals,
        trial=trial,
        verdict=judge(signals, trial),
        advice=advise(signals, trial, draws.votes, config),
        cost=cost,
        memory=memory_estimate(session.model, config, session.prompt_tokens),
        label_accuracy=_label_accuracy(session, draws.votes),
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


def _lines(found: _Found) -> list[str]:
    s, trial, cost = found.signals, found.trial, found.cost
    low, median, high = s.majority_ratio_quartiles
    beyond = "" if s.kappa is None else f", on different ones {s.across:.3f}: kappa {s.kappa:.3f};"
    lines = [
        f"votes       {s.questions} questions x {s.votes_per_question}: majority ratio "
        f"{s.majority_ratio:.2f} (quartiles {low:.2f}, {median:.2f}, {high:.2f}), margin {s.margin:.2f}, "
        f"unanimous {s.unanimous:.2f}",
        f"agreement   two votes on a question {s.within:.3f}{beyond} at a lower temperature "
        f"{s.sharp_within:.3f}"
        + ("" if s.halves is None else f"; halves elect the same {s.halves:.2f}"),
        f"answers     {s.distinct_answers:.1f} a question, distinct labels {s.distinct_labels:.2f}, without "
        f"an answer {s.no_answer:.2f}, cut {s.truncated:.2f}",
        f"tokens      {s.mean_tokens:.0f} a completion, entropy {s.entropy:.3f} nats each",
        "changes     "
        + (
            f"{s.ignored_numbers:.2f} of the answers stay as they were after one of {s.changes} changes of "
            "a number"
            if s.ignored_numbers is not None
            else "too few confident answers to questions with numbers"
        ),
        f"trial       {_trial_line(trial)}",
        f"memory      at most about {found.memory['total'] / 2**30:.2f} GiB for the run, besides Python "
        "and torch",
        f"cost        {_cost_line(cost)}",
    ]
    if found.label_accuracy is not None:
        lines.append(
            f"labels      {found.label_accuracy:.2f} of the pseudo-labels are right. This is read from the "
            "true answers, and the verdict does not know it."
        )
    lines += ["", f"verdict     {found.verdict.name.upper()}"]
    lines += [f"            {reason}" for reason in found.verdict.reasons]
    return lines + [f"try         {line}" for line in found.advice.lines]


def _trial_line(trial: Trial) -> str:
    if trial.moved is None:
        return f"none: {trial.skipped}"
    assert trial.agreement is not None
    kept = (
        "no labels to keep" if trial.labels_kept is None else f"labels kept {trial.labels_kept:.2f}"
    )
    return (
        f"two updates at learning rate {trial.learning_rate:g}: {trial.moved:.4f} nats per token, agreement "
        f"{trial.agreement[0]:.3f} -> {trial.agreement[1]:.3f}, {kept}, "
        f"without an answer {trial.no_answer_after:.2f}"
    )


def _cost_line(cost: Cost) -> str:
    line = (
        f"this probe took {cost.probe_seconds:.1f} s and {cost.probe_tokens:,} tokens; the run it is about "
        f"takes about {cost.training_seconds:.0f} s of training, {cost.evaluation_seconds:.0f} s of "
        f"evaluation and {cost.training_tokens:,} tokens of training: {cost.share_of_run:.1%} of its time"
    )
    if cost.share_of_training is None or cost.share_of_tokens is None:
        return line
    return (
        f"{line}, {cost.share_of_training:.1%} of that of training, {cost.share_of_tokens:.1%} of the "
        "tokens"
    )


def _as_json(found: _Found) -> dict[str, Any]:
    trial = asdict(found.trial)
    if found.trial.moved == float("inf"):  # which JSON does not know
        trial["moved"] = None
    return {
        "verdict": found.verdict.name,
        "reasons": list(found.verdict.reasons),
        "advice": {"settings": dict(found.advice.settings), "lines": list(found.advice.lines)},
        "signals": asdict(found.signals) | {"kappa": found.signals.kappa},
        "trial": trial,
        "cost": asdict(found.cost)
        | {
            "share_of_run": found.cost.share_of_run,
            "share_of_training": found.cost.share_of_training,
            "share_of_tokens": found.cost.share_of_tokens,
        },
        "memory_bytes": dict(found.memory),
        "label_accuracy": found.label_accuracy,
    }
