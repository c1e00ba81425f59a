"""Puts the consensus into TRL's GRPOTrainer; see docs/trl.md."""

from ttrl.overlays.trl.overlay import Overlay

__all__ = ["Overlay"]
