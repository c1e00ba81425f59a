"""Checks what votes on views and further votes cannot go with."""

from __future__ import annotations

from ttrl.config.settings import RunConfig
from ttrl.errors import ConfigError
from ttrl.types import SIMILAR_TASKS


def check_labels(values: RunConfig) -> None:
    """Checks the sources of votes against the other settings of votes.

    Raises:
        ConfigError: votes that nobody would draw, or settings that nobody would read.
    """
    k, m = values.trained_per_question, values.votes_per_question
    if "auto" in values.views and len(values.views) > 1:
        raise ConfigError(
            f"views={','.join(values.views)}: auto chooses the views itself. Leave it out, or the others."
        )
    named: dict[str, tuple[str, ...]] = {"views": values.views, "label_votes": values.label_votes}
    for key, each in named.items():
        if len(set(each)) < len(each):
            raise ConfigError(
                f"{key}={','.join(each)}: a name stands there twice. Leave one of them out."
            )
    views, sources = ",".join(values.view_names), ",".join(values.label_votes)
    if views and k == m:
        raise ConfigError(
            f"views={views} with trained_per_question={k} and votes_per_question={m}: views are asked by the "
            "votes that are not trained on, and there are none. Set trained_per_question to less, such as "
            f"{max(1, m // 2)}."
        )
    if views and values.trained_choice != "first":
        raise ConfigError(
            f"views={views} with trained_choice={values.trained_choice}: a question is asked as often as "
            "it is trained on, so there is nothing to choose. Set trained_choice: first, or leave views out."
        )
    for key, names in (("views", views), ("label_votes", sources)):
        if names and values.votes == "adaptive":
            raise ConfigError(
                f"{key}={names} with votes=adaptive: a lead among the votes of a question decides nothing "
                f"where others are to join. Use votes: fixed, or leave {key} out."
            )
    if values.label_rule != "pooled" and not views and not sources:
        raise ConfigError(
            f"label_rule={values.label_rule} without views and label_votes: there is no second vote to "
            "compare with. Set views or label_votes, or leave label_rule out."
        )
    if values.task in SIMILAR_TASKS:
        _check_similar(values)
    if ("peer" in values.label_votes) != (values.peer is not None):
        raise ConfigError(
            f"label_votes={sources or 'none'} with peer={values.peer}: a peer needs both. Set label_votes: "
            "peer and peer to a model, or leave both out."
        )


def _check_similar(values: RunConfig) -> None:
    similar = "its answers are similar and not equal, so"
    if values.label_rule != "pooled":
        raise ConfigError(
            f"label_rule={values.label_rule} with task={values.task}: {similar} they have no shares. Set "
            "label_rule: pooled."
        )
    if "visits" in values.label_votes and values.visit_decay != 1:
        raise ConfigError(
            f"label_votes=visits with task={values.task}: {similar} votes have no weights. Set visit_decay: "
            "1, or leave visits out."
        )
