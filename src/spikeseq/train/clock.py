"""How long a training took: the seconds of all its legs, where it was resumed."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any


class Clock:
    """Runs from its making; a checkpoint keeps :meth:`state`."""

    def __init__(self) -> None:
        self.started = datetime.now(timezone.utc)  # of the first leg
        self._before, self._begun = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Of this leg and those before it, as far as their checkpoints reach."""
        return self._before + time.monotonic() - self._begun

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"started": self.started.isoformat(), "seconds": self.seconds}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.started, self._before = datetime.fromisoformat(state["started"]), state["seconds"]
