"""The arms of the rules study: their settings, and what was published about each.

Every arm samples 64 completions on each question of a step. Those with votes from another source (the base, a
teacher, a peer, other views of the question) ask the question itself 32 times, and that source 32 times.
Settings are written out, so that a later change of a default does not change the study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Settings = Mapping[str, Any]

COMMON: dict[str, Any] = {
    "algorithm": "grpo",
    "advantage": "normalized",
    "reward": "agreement",
    "steps": 60,
    "questions_per_step": 16,
    "votes": "fixed",
    "votes_per_question": 64,
    "trained_per_question": 32,
    "trained_choice": "first",
    "views": [],
    "view_count": 8,
    "label_votes": [],
    "further_votes": 32,
    "label_temperature": 1.0,
    "label_rule": "pooled",
    "visit_decay": 0.5,
    "teacher_decay": 0.99,
    "augment": [],
    "augment_copies": 1,
    "updates_per_step": 1,
    "passes_per_step": 1,
    "learning_rate": 1e-4,
    "schedule": "constant",
    "warmup_steps": 5,
    "weight_decay": 0.0,
    "adam_beta2": 0.99,
    "clip_norm": 1.0,
    "kl_coefficient": 0.0,
    "guard": "off",
    "keep": "last",
    "stop_after_silent_steps": 1000,
    "checkpoint_every": 60,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "max_tokens": 96,
    "questions": "word-problems",
    "difficulty": 4,
    "samples": 64,
    "eval_temperature": 0.6,
    "eval_top_p": 0.95,
    "eval_sets": ["unlabeled", "heldout"],
}
"""No arm may end early, by the guard or by silence: all have to sample as much."""

SMOKE: dict[str, Any] = {
    "steps": 2,
    "limit": 6,
    "questions_per_step": 2,
    "samples": 4,
}
SMOKE_PART = 8
"""The numbers of votes are divided by it."""

_HALF: dict[str, Any] = {"votes_per_question": 32}
"""Half of the completions come from another source."""
_FACTS: dict[str, Any] = {"views": ["facts"]}
_PERTURBED: dict[str, Any] = {"augment": ["perturbed"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to learn without labels, or a control."""

    name: str
    about: str
    """Who published it, or what it is for."""
    options: Settings = field(default_factory=dict)
    needs_peer: bool = False
    """Whether another model votes; it is named by the study."""
    control: bool = False
    """Whether it is not a method: a meaningless reward or the true answers."""

    def settings(self, *, smoke: bool = False) -> dict[str, Any]:
        """Returns the settings of its runs, without the model and the seed."""
        found: dict[str, Any] = {**COMMON, **self.options}
        if smoke:
            votes = ("votes_per_question", "trained_per_question", "further_votes")
            found |= {key: found[key] // SMOKE_PART for key in votes} | SMOKE
        return found


TTRL = "majority"
"""The arm that all others are compared with."""
KEY = "answer-key"
"""The upper bound."""

ARMS: Mapping[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm(name=TTRL, about="TTRL, arXiv:2504.16084"),
        Arm(
            name="centered",
            about="without division by the standard deviation: Dr. GRPO, arXiv:2503.20783",
            options={"advantage": "centered"},
        ),
        Arm(
            name="fixed",
            about="+1 or −1: the part of DDRL that its ablation credits",
            options={"advantage": "fixed"},
        ),
        Arm(
            name="extremes+fixed",
            about="DDRL, arXiv:2604.21327, without its last stage of fine-tuning",
            options={"advantage": "fixed", "trained_choice": "extremes"},
        ),
        Arm(
            name="marginal",
            about="GMAE, arXiv:2609.36750",
            options={"advantage": "marginal"},
        ),
        Arm(
            name="entropy-scaled",
            about="Adv-Res of ETTRL, arXiv:2508.11356",
            options={"advantage": "entropy-scaled"},
        ),
        Arm(
            name="restrain",
            about="RESTRAIN, arXiv:2510.02172, by its text alone: there is no public code",
            options={"advantage": "restrain"},
        ),
        Arm(
            name="soft",
            about="vote shares as rewards: EMPO, arXiv:2504.05812",
            options={"reward": "soft"},
        ),
        Arm(
            name="selective",
            about="SCRL, arXiv:2603.19880",
            options={"reward": "selective"},
        ),
        Arm(
            name="confidence",
            about="votes weighted by confidence: CISC, arXiv:2502.06233",
            options={"reward": "confidence"},
        ),
        Arm(
            name="novel",
            about="EVOL-RL, arXiv:2509.15194, with similarities of text in place of embeddings",
            options={"reward": "novel"},
        ),
        Arm(
            name="base-votes",
            about="32 votes of the base, drawn once for each question",
            options=_HALF | {"label_votes": ["base"]},
        ),
        Arm(
            name="visits",
            about="the question's earlier votes, with decay 0.5; they cost nothing",
            options={"label_votes": ["visits"]},
        ),
        Arm(
            name="teacher",
            about="32 votes of an EMA teacher: after Co-rewarding-II, arXiv:2508.00410, pooled here",
            options=_HALF | {"label_votes": ["teacher"]},
        ),
        Arm(
            name="teacher+marginal",
            about="the same under GMAE, the best of that paper's table",
            options=_HALF | {"label_votes": ["teacher"], "advantage": "marginal"},
        ),
        Arm(
            name="peer",
            about="32 votes of a sibling that stays frozen: a control to Co-RL, arXiv:2608.17253",
            options=_HALF | {"label_votes": ["peer"]},
            needs_peer=True,
        ),
        Arm(
            name="views",
            about="32 votes on 8 views with facts swapped between days",
            options=_FACTS,
        ),
        Arm(
            name="views-0.6",
            about="the same, these votes at temperature 0.6",
            options=_FACTS | {"label_temperature": 0.6},
        ),
        Arm(
            name="views+harmonic",
            about="the same at 1, label by the harmonic mean of both shares: after Self-Harmony",
            options=_FACTS | {"label_rule": "harmonic"},
        ),
        Arm(
            name="views-names",
            about="32 votes on 8 views with other names and things",
            options={"views": ["names"]},
        ),
        Arm(
            name="views+marginal",
            about="swapped facts under GMAE",
            options=_FACTS | {"advantage": "marginal"},
        ),
        Arm(
            name="perturbed",
            about="every question and one copy of it with other numbers are trained on",
            options=_PERTURBED,
        ),
        Arm(
            name="views+perturbed",
            about="both",
            options=_FACTS | _PERTURBED,
        ),
        Arm(
            name="random",
            about="a fair coin: arXiv:2506.10947",
            options={"reward": "random"},
            control=True,
        ),
        Arm(
            name="format",
            about="1 for every readable answer",
            options={"reward": "format"},
            control=True,
        ),
        Arm(
            name=KEY,
            about="the true answers: an upper bound",
            options={"reward": "answer-key"},
            control=True,
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A published difference between two methods that are arms here too."""

    first: str
    second: str = TTRL
    points: Sequence[float]
    """First minus second, each in points of accuracy."""
    where: str
    """Models and questions of `points`, in the same order."""
    source: str
    own: bool = False
    """Whether the authors of `first` measured it."""


_GMAE = "GMAE's table, arXiv:2609.36750"
_CO_RL = "Co-RL's table, arXiv:2608.17253"
_QWEN3 = "mean of 8 sets, mean@16; Qwen3-1.7B, 4B"
_THREE = "mean of 7 sets; Qwen2.5-3B, Llama-3.2-3B, Qwen2.5-7B"

CLAIMS: Sequence[Claim] = (
    Claim(first="marginal", points=(2.0, 1.9, 2.6), where=f"{_QWEN3}, 8B", source=_GMAE, own=True),
    Claim(first="teacher+marginal", points=(2.4, 3.1), where=_QWEN3, source=_GMAE, own=True),
    Claim(first="teacher", points=(0.0, 0.1), where=_QWEN3, source=_GMAE),
    Claim(first="teacher", points=(-1.7, -1.3, 0.7), where=_THREE, source=_CO_RL),
    Claim(first="views+harmonic", points=(0.1, 0.4), where=_QWEN3, source=_GMAE),
    Claim(first="restrain", points=(-1.4, -0.8), where=_QWEN3, source=_GMAE),
    Claim(
        first="restrain", points=(8.8, 6.7, 7.7),
        where="Qwen3-4B-Base, mean of sets; Llama-3.1-8B, AIME24 and AMC",
        source="arXiv:2510.02172", own=True,
    ),
    Claim(first="peer", points=(2.0, 0.8, 1.9), where=_THREE, source=_CO_RL, own=True),
    Claim(
        first="extremes+fixed", points=(2.4, 11.2), where="Qwen2.5-Math-1.5B; AIME24, MATH-500",
        source="arXiv:2604.21327", own=True,
    ),
    Claim(
        first="entropy-scaled", points=(3.8, 2.1, 4.3, -2.4),
        where="Qwen2.5-Math-1.5B, AIME24, AMC and MATH-500; Llama-3.1-8B, MATH-500",
        source="arXiv:2508.11356", own=True,
    ),
    Claim(
        first="selective", points=(10.1, 1.2, -0.1, 27.1),
        where="Qwen2.5-Math-7B; AIME25, AMC, MATH-500, Minerva",
        source="arXiv:2603.19880", own=True,
    ),
    Claim(
        first="novel", points=(11.8,), where="Qwen3-4B-Base; AIME25",
        source="arXiv:2509.15194", own=True,
    ),
    Claim(
        first="answer-key", points=(3.6, 7.1, 6.4, 3.9),
        where=f"{_QWEN3}, 8B, Llama-3.1-8B", source=_GMAE,
    ),
    Claim(first="answer-key", points=(0.1, -0.1, 2.8), where=_THREE, source=_CO_RL),
    Claim(
        first="random", points=(-5.7,), where="Qwen2.5-Math-7B; MATH-500",
        source="arXiv:2506.10947",
    ),
    Claim(
        first="format", points=(-13.3,), where="Qwen2.5-Math-7B; MATH-500",
        source="arXiv:2506.10947",
    ),
)  # fmt: skip
"""Figures as later papers and notes on them give them; most were not checked against the papers."""

ABSENT = (
    "Co-rewarding-I, CoVerRL, TTVS, T3RL, SR-TTRL, Hi-TTRL and TTPO, which need a model that can "
    "reword, verify or be steered by a prefix; RoiRL, which learns offline; the similarities of text "
    "and code, which these questions have no use for; several peers that all learn"
)
"""What is not in the study."""
