"""verl's hook for the reward of one sample. A vote needs the whole group, so in training it gives nothing."""

from __future__ import annotations

from typing import Any

from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

Score = dict[str, Any]


class NoTrainingReward(NaiveRewardManager):  # type: ignore[misc]  # verl has no types
    """Gives reward 0 to every sample that votes, whatever its row holds, and verl's own grade in validation.

    The trainer writes the rewards when all votes are there. Rows that vote are known by their number of
    votes, which rows of a validation do not have. The path of a training sample reads no label.
    """

    async def run_single(self, data: Any) -> Score:
        """Scores the last output of one session."""
        asked = data[-1:][0].non_tensor_batch.get("extra_info") or {}
        if asked.get("votes") is not None:
            return {"reward_score": 0.0, "reward_extra_info": {}}
        graded: Score = await super().run_single(data)
        return graded
