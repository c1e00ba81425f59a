"""Measures an evaluation: numbers for the whole set, and one record per question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ttrl.config import RunConfig
from ttrl.data.sets import QuestionSet
from ttrl.errors import DataError
from ttrl.evaluation.answer_key import AnswerSheet, Graded, correctness, grade, right_classes
from ttrl.evaluation.estimators import LARGEST_K, curves, pass_at_k
from ttrl.evaluation.labels import Labels, by_level
from ttrl.evaluation.statistics import mean, mean_interval
from ttrl.evaluation.views import view_majority
from ttrl.interval import Interval
from ttrl.recording.evaluations import Evaluation, SetMetrics, When
from ttrl.recording.question_record import QuestionRecord
from ttrl.seeding import derive_seed
from ttrl.types import (
    Group,
    Sampler,
    SamplingParams,
    StepResult,
    Task,
)

RECORDED_CLASSES = 12
RECORDED_CHARACTERS = 4000


def evaluate_groups(
    task: Task,
    groups: Sequence[Group],
    answers: AnswerSheet | None,
    *,
    seed: int,
    levels: Mapping[str, str] | None = None,
    name: str = "",
    when: str = "",
) -> Evaluation:
    """Measures groups of n completions each. The caller adds how they were sampled.

    There are curves (`evaluate.estimators`) if a question with exact answers is labeled, and rows by
    level (`evaluate.levels`) if a level is known. Metrics, with k = min(16, n):

    Means over labeled questions, absent if there are none, with 95 % intervals over questions:
        avg@k: share of correct ones among the first k completions; avg@n: among all.
        maj@n: share of questions whose consensus is right. In a tie, the elected class counts.
        pass@k: unbiased estimate from all n that one of k is correct (no interval).
    For free text and code, which hardly ever equal the true answer, instead:
        similarity: to the true answer, mean over completions. An abstention counts as 0.
        consensus_similarity: of the pseudo-label to the true answer.
    Over all questions: self_similarity (free text and code only; mean of `Consensus.centrality`),
    entropy (nats, mean over all tokens), no_answer_rate, truncated_rate and mean_tokens (over
    completions), majority_ratio (mean over questions); and the counts questions and labeled.

    A question whose label has no key counts as unlabeled.

    Args:
        seed: decides ties and draws the intervals.
        levels: difficulty of questions, by id.
        name: the name of the question set.
        when: "base" before training, "final" after it.

    Raises:
        DataError: no groups, an empty group, or groups of different sizes.
    """
    sizes = sorted({len(group.completions) for group in groups})
    if len(sizes) != 1 or sizes[0] == 0:
        raise DataError(
            f"evaluation: got {len(groups)} questions with {sizes} completions each, wanted at "
            "least one question and equally many completions for all. Sample them together."
        )
    n, levels = sizes[0], levels or {}
    graded = [grade(task, group, answers, tie_seed=seed) for group in groups]
    drawn = derive_seed(seed, "bootstrap")
    labeled = sum(item.labeled for item in graded)
    return Evaluation(
        set=name,
        when=when,
        labeled=bool(labeled),
        samples=n,
        metrics=SetMetrics(
            **_accuracies(graded, n=n, seed=drawn),
            **_similarities(graded, seed=drawn),
            **_label_free(graded),
            questions=len(graded),
            labeled=labeled,
        ),
        curves=curves(graded, n=n, tie_seed=seed, seed=drawn),
        by_level=by_level(graded, levels, k=min(LARGEST_K, n), seed=drawn),
        questions=tuple(_record(item, levels.get(item.group.question.id)) for item in graded),
    )


def _accuracies(graded: Sequence[Graded], *, n: int, seed: int) -> dict[str, Any]:
    correct = [item.correct for item in graded if item.correct is not None]
    if not correct:
        return {}
    k = min(LARGEST_K, n)
    votes = [float(right) for item in graded if (right := item.vote_right) is not None]
    return {
        "avg": {
            size: mean_interval([mean(row[:size]) for row in correct], seed=seed) for size in (k, n)
        },
        "maj": {n: mean_interval(votes, seed=seed)},
        "passes": {k: Interval(value=mean([pass_at_k(n, sum(row), k) for row in correct]))},
    }


def _similarities(graded: Sequence[Graded], *, seed: int) -> dict[str, Any]:
    similar = [(item, item.similar) for item in graded if item.similar is not None]
    if not similar:
        return {}
    elected = [
        row[item.consensus.class_of.index(item.consensus.winner)] if item.consensus.counts else 0.0
        for item, row in similar
    ]
    return {
        "similarity": mean_interval([mean(row) for _, row in similar], seed=seed),
        "consensus_similarity": mean(elected),
    }


def _label_free(graded: Sequence[Graded]) -> dict[str, Any]:
    completions = [completion for item in graded for completion in item.group.completions]
    entropies = [entropy for completion in completions for entropy in completion.entropy]
    abstained = sum(item.consensus.abstained for item in graded)
    central = [c for item in graded if (c := item.consensus.centrality) is not None]
    return {
        "self_similarity": mean([mean(row) for row in central]) if central else None,
        "entropy": mean(entropies) if entropies else 0.0,
        "no_answer_rate": abstained / len(completions),
        "truncated_rate": mean([c.finish_reason == "length" for c in completions]),
        "mean_tokens": mean([len(c.token_ids) for c in completions]),
        "majority_ratio": mean([item.consensus.majority_ratio for item in graded]),
    }


def _record(item: Graded, level: str | None) -> QuestionRecord:
    consensus = item.consensus
    kept = consensus.counts[:RECORDED_CLASSES]
    in_sight = [index for index in sorted(item.right) if index < len(kept)]
    return QuestionRecord(
        id=item.group.question.id,
        prompt=item.group.question.prompt,
        level=level,
        pseudo_label=consensus.pseudo_label,
        tied=consensus.tied,
        counts=tuple(kept),
        labels=tuple(consensus.labels[: len(kept)]),
        other=sum(consensus.counts[len(kept) :]),
        abstained=consensus.abstained,
        answer=item.answer,
        correct=None if item.correct is None else sum(item.correct),
        vote_right=item.vote_right,
        right_class=in_sight[0] if in_sight else None,
        example=_example(item)[:RECORDED_CHARACTERS],
    )


def _example(item: Graded) -> str:
    """The first completion of the winning class, or the first of all if every one abstains."""
    winner = item.consensus.winner
    first = 0 if winner is None else item.consensus.class_of.index(winner)
    return item.group.completions[first].text


def evaluation_params(config: RunConfig) -> SamplingParams:
    """Returns how completions are drawn for evaluation; the paper uses temperature 0.6 and top-p 0.95."""
    return SamplingParams(
        temperature=config.eval_temperature,
        top_p=config.eval_top_p,
        max_tokens=config.max_tokens,
        stop=config.stop,
    )


def evaluate_set(
    question_set: QuestionSet,
    labels: Labels,
    *,
    when: When,
    sampler: Sampler,
    task: Task,
    config: RunConfig,
    with_views: bool = False,
) -> Evaluation:
    """Samples completions and measures them; the caller adds what that cost.

    Before and after use the same seeds, so differences are those of the weights.

    Args:
        with_views: also draw votes on `config.view_names`, for view_maj@n; nothing else depends on it.
    """
    questions = question_set.questions[: config.eval_limit]
    params = evaluation_params(config)
    seed = derive_seed(config.seed, "evaluate", question_set.name)
    groups = sampler.sample(questions, n=config.samples, params=params, seed=seed)
    found = evaluate_groups(
        task,
        groups,
        labels.answers,
        seed=derive_seed(config.seed, "statistics"),
        levels=labels.levels,
        name=question_set.name,
        when=when,
    )
    measured = replace(found.metrics, temperature=params.temperature, top_p=params.top_p)
    if with_views:
        by_views = view_majority(
            groups,
            labels.answers,
            sampler=sampler,
            task=task,
            config=config,
            params=params,
            seed=seed,
        )
        if by_views is not None:
            measured = replace(measured, view_maj={config.samples: by_views})
    return replace(
        found,
        metrics=measured,
        temperature=params.temperature,
        top_p=params.top_p,
        max_tokens=params.max_tokens,
        note=question_set.note,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDiagnostics:
    """Computes the published diagnostics of TTRL over the labeled questions of a step.

    It reads a finished step and returns numbers, so it cannot change the run. The true label is
    compared by its own key; the published code extracts an answer from the label again and so
    reports right pseudo-labels as wrong (on a third of MATH-500).
    Source: TTRL (arXiv:2504.16084).
    """

    task: Task
    answers: AnswerSheet

    def on_step(self, result: StepResult) -> dict[str, float]:
        """Returns shares in [0, 1] by metric; empty if the step has no labeled question with exact answers.

        labels/label_accuracy: share of questions whose pseudo-label is right; none at all is wrong.
        labels/reward_accuracy: share of completions that are rewarded exactly if correct, where
            rewarded means more than 0 and at least the mean of the group.
        labels/lucky_rate: share of completions whose reward is right in that sense although the
            pseudo-label is wrong: mostly wrong completions that differ from it.
        labels/ground_truth_ratio: share of correct completions, mean over questions.
        labels/pass_at_votes: share of questions with a correct completion among the votes.
        """
        labels: list[float] = []
        rewards: list[float] = []
        lucky: list[bool] = []
        ratios: list[float] = []
        for scored in result.scored:
            truth = self.answers.key(self.task, scored.group.question)
            if truth is None or scored.consensus.centrality is not None:
                continue
            right = right_classes(scored.consensus, truth)
            correct = correctness(scored.consensus, right)
            labels.append(scored.consensus.winner in right)
            average = mean(scored.rewards)
            deserved = [
                (0 < reward >= average - 1e-12) == is_correct
                for reward, is_correct in zip(scored.rewards, correct, strict=True)
            ]
            rewards += deserved
            lucky += [hit and not labels[-1] for hit in deserved]
            ratios.append(mean(correct))
        if not labels:
            return {}
        return {
            "labels/label_accuracy": mean(labels),
            "labels/reward_accuracy": mean(rewards),
            "labels/lucky_rate": mean(lucky),
            "labels/ground_truth_ratio": mean(ratios),
            "labels/pass_at_votes": mean([ratio > 0 for ratio in ratios]),
        }
