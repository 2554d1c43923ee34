"""Checkpoints of a training, written whole or not at all.

Lightning's own way writes to the system's temporary folder and moves the file from there: on another file system that is a
copy, which a kill leaves half done in place of the last good checkpoint.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO

from spikeseq.report.atomic import write_atomic


class WholeCheckpoints(CheckpointIO):
    """Files of torch.save on a local or shared disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint through a temporary file beside it. Raises OSError where the disk refuses."""
        if storage_options is not None:
            raise TypeError("storage_options: checkpoints go to a disk, which has none")
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomic(path, buffer.getvalue())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint."""
        content: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=weights_only)
        return content

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint, if it is there."""
        Path(path).unlink(missing_ok=True)
