"""Test-time reinforcement learning: a language model improves on questions without labels.

Importing this needs no torch, and neither do votes. The engine is `ttrl.engine`, the algorithm
`ttrl.training.step`, a whole run `ttrl.runs`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ttrl.answers.extract import extract_answer
from ttrl.answers.key import answer_key
from ttrl.answers.tasks import get_task
from ttrl.consensus.rewards import agreement_rewards
from ttrl.consensus.voting import Vote, vote
from ttrl.errors import TtrlError
from ttrl.rl.advantages import group_advantages
from ttrl.seeding import derive_seed
from ttrl.types import (
    Completion,
    Consensus,
    Group,
    Question,
    RewardRule,
    SamplingParams,
    ScoredGroup,
)

if TYPE_CHECKING:
    from ttrl.probing.result import ProbeResult
    from ttrl.recording.results import EvalResult, RunResult, read_result
    from ttrl.runs.many import StudyResult
    from ttrl.runs.probes import probe
    from ttrl.runs.start import evaluate, report, train
    from ttrl.runs.studies import study
    from ttrl.runs.sweeps import sweep

__all__ = [
    "Completion",
    "Consensus",
    "EvalResult",
    "Group",
    "ProbeResult",
    "Question",
    "RewardRule",
    "RunResult",
    "SamplingParams",
    "ScoredGroup",
    "StudyResult",
    "TtrlError",
    "Vote",
    "agreement_rewards",
    "answer_key",
    "derive_seed",
    "evaluate",
    "extract_answer",
    "get_task",
    "group_advantages",
    "probe",
    "read_result",
    "report",
    "study",
    "sweep",
    "train",
    "vote",
]

_LATER = {
    "ttrl.recording.results": ("EvalResult", "RunResult", "read_result"),
    "ttrl.probing.result": ("ProbeResult",),
    "ttrl.runs.many": ("StudyResult",),
    "ttrl.runs.probes": ("probe",),
    "ttrl.runs.start": ("evaluate", "report", "train"),
    "ttrl.runs.studies": ("study",),
    "ttrl.runs.sweeps": ("sweep",),
}
"""Names that need more than a vote does, by their modules: imported when they are first asked for."""


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
