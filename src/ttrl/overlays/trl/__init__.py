"""The consensus inside TRL's GRPOTrainer: docs/trl.md."""

from ttrl.overlays.trl.overlay import Overlay

__all__ = ["Overlay"]
