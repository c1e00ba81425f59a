"""Test-time reinforcement learning: a language model improves on questions without labels.

What stands here needs no torch. The engine is `ttrl.engine`, the algorithm `ttrl.train.step`.
"""

from ttrl.answers.extract import extract_answer
from ttrl.answers.key import answer_key
from ttrl.answers.tasks import get_task
from ttrl.consensus.majority import MajorityReward, agreement_rewards
from ttrl.consensus.voting import Vote, vote
from ttrl.errors import TtrlError
from ttrl.rl.advantages import group_advantages
from ttrl.seeding import derive_seed
from ttrl.types import Completion, Consensus, Group, Question, SamplingParams, ScoredGroup

__all__ = [
    "Completion",
    "Consensus",
    "Group",
    "MajorityReward",
    "Question",
    "SamplingParams",
    "ScoredGroup",
    "TtrlError",
    "Vote",
    "agreement_rewards",
    "answer_key",
    "derive_seed",
    "extract_answer",
    "get_task",
    "group_advantages",
    "vote",
]
