"""Checks what single keys cannot show: settings that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ttrl.algorithm_settings import ALGORITHM_KEYS, ALGORITHM_ROWS, readers_of
from ttrl.config.advantage_checks import check_advantage, of_equal_answers
from ttrl.config.label_checks import check_labels
from ttrl.config.settings import RunConfig
from ttrl.config.verifier_checks import check_verifier
from ttrl.errors import ConfigError
from ttrl.types import NUMERIC_TASKS, SIMILAR_TASKS, TASKS_OF_VIEWS


def check_together(values: RunConfig, sources: Mapping[str, str]) -> None:
    """Checks keys against each other and raises at the first contradiction.

    Args:
        sources: where each key came from that somebody set.

    Raises:
        ConfigError: two of them contradict each other, or an algorithm's need is not met.
    """
    k, m = values.trained_per_question, values.votes_per_question
    if m < 2:
        raise ConfigError(
            f"votes_per_question={m}: one completion always agrees with itself, so there is nothing "
            "to learn. Set votes_per_question to at least 2 (the paper uses 64)."
        )
    if k > m:
        raise ConfigError(
            f"trained_per_question={k} is more than votes_per_question={m}: "
            f"the trained completions are a subset of the votes. Set trained_per_question <= {m}."
        )
    _check_algorithm(values, sources)
    check_advantage(values)
    check_verifier(values)
    if values.votes == "adaptive":
        _check_adaptive(values)
    _check_views(values, sources)
    check_labels(values)
    if values.task in SIMILAR_TASKS:
        for setting, remedy in of_equal_answers(values):
            raise ConfigError(
                f"{setting} with task={values.task}: its answers are similar and not equal, {remedy}."
            )
    if values.engine == "native":
        for key, neutral in (("vllm", "off"), ("trl", ())):
            if getattr(values, key) != neutral:
                raise ConfigError(
                    f"{key}={getattr(values, key)} with engine=native, which would not read it. Set engine: "
                    f"trl, or leave {key} out."
                )
    if values.prompt_template is not None and "{question}" not in values.prompt_template:
        raise ConfigError(
            f"prompt_template={values.prompt_template!r} has no {{question}}: every prompt would be the "
            "same. Write {question} where the question belongs."
        )


def _check_views(values: RunConfig, sources: Mapping[str, str]) -> None:
    if "views" in sources and values.task_column is None:
        for name in values.view_names:
            if values.task not in TASKS_OF_VIEWS[name]:
                able = [view for view, tasks in TASKS_OF_VIEWS.items() if values.task in tasks]
                raise ConfigError(
                    f"{sources['views']}: views={name} with task={values.task}: its questions have no such "
                    f"views, which are for {_listed(sorted(TASKS_OF_VIEWS[name]))}. Leave {name} out, or "
                    f"choose {_listed(able)}."
                )
    if not values.augment:
        return
    if values.task not in NUMERIC_TASKS and values.task_column is None:
        raise ConfigError(
            f"augment={','.join(values.augment)} with task={values.task}: only answers that follow from the "
            "numbers of a question have a use for copies with other numbers. Leave augment out, or set "
            "task to math or number."
        )
    if values.reward == "answer-key":
        raise ConfigError(
            f"augment={','.join(values.augment)} with reward=answer-key: nobody knows the answers of copies "
            "with other numbers, so nothing could reward them. Leave augment out, or choose another reward."
        )


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _check_algorithm(values: RunConfig, sources: Mapping[str, str]) -> None:
    name, row = values.algorithm, ALGORITHM_ROWS[values.algorithm]
    for key in sorted(ALGORITHM_KEYS - row.settings.keys()):
        if getattr(values, key) is not None:
            raise ConfigError(
                f"{sources[key]}: {key}={getattr(values, key)} is a parameter of "
                f"{', '.join(readers_of(key))}, and algorithm is {name}, which would not read it. "
                f"Leave {key} out, or choose one of those."
            )
    if values.trained_per_question < 2 and row.compares == "question":
        raise ConfigError(
            f"trained_per_question={values.trained_per_question} with algorithm={name}: it compares "
            "completions of one question with each other, and one alone has nobody to be compared with. "
            "Set trained_per_question to at least 2, or algorithm to ppo or reinforce++."
        )
    if row.whole_completion and values.loss_aggregation != "sequence-mean":
        raise ConfigError(
            f"loss_aggregation={values.loss_aggregation} with algorithm={name}: its ratio is that of a whole "
            "completion, so there is one loss per completion and nothing else to average. Leave "
            "loss_aggregation out, or choose grpo or dr-grpo."
        )
    # TRL takes the ratio to the trainer's own probabilities, so that there the two cannot differ.
    short = values.engine == "native" and "bfloat16" in (values.dtype, values.sampling_dtype)
    if row.whole_completion and short and not values.importance_cap:
        raise ConfigError(
            f"algorithm={name} in bfloat16 without importance_cap: over a whole completion, sampler and "
            "trainer differ by more than its clip range, so updates would be clipped for no reason. Set "
            "importance_cap: 2, or dtype: float32 and sampling_dtype: model."
        )
    if values.importance_cap and values.importance_cap < 1:
        raise ConfigError(
            f"importance_cap={values.importance_cap}: ratios are about 1, so a cap below 1 only shrinks the "
            "loss. The usual value is 2; 0 leaves it out."
        )
    if values.kl_coefficient and values.kl_in == "loss" and values.kl_estimator == "k1":
        raise ConfigError(
            "kl_estimator=k1 with kl_in=loss: as a loss its gradient is zero on average, so it would add "
            "noise and no KL. Set kl_in: reward, or kl_estimator to k2 or k3."
        )
    if values.dpo_label_smoothing and values.dpo_loss == "ipo":
        raise ConfigError(
            f"dpo_label_smoothing={values.dpo_label_smoothing} with dpo_loss=ipo: IPO's square has no "
            "smoothed form. Leave it out, or set dpo_loss to sigmoid or sigmoid-norm."
        )
    if values.dual_clip and values.dual_clip <= 1 + (values.clip_high or 0):
        raise ConfigError(
            f"dual_clip={values.dual_clip}: ratios up to 1 + clip_high = {1 + (values.clip_high or 0):g} are "
            "to count, so it has to be larger (the usual value is 3); 0 leaves it out."
        )


def _check_adaptive(values: RunConfig) -> None:
    first, m = values.adaptive_first, values.votes_per_question
    if first > m:
        raise ConfigError(
            f"adaptive_first={first} is more than votes_per_question={m}: the first votes are some of them. "
            f"Set adaptive_first <= {m}, or votes: fixed."
        )
