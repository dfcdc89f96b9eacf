"""Where a view will be when its tiles come, if it moves on as it did. No Qt here."""

from __future__ import annotations

import time

from pathview.gui.viewer.view import View

_STILL_S, _AHEAD_S = 0.2, 0.3
"""After which time a view stands still, and how far ahead of its motion tiles are read."""


class Ahead:
    """Remembers the view before."""

    def __init__(self) -> None:
        """No view yet."""
        self._seen: tuple[View, float] | None = None

    def motion(self, view: View) -> tuple[float, float]:
        """How far a view will have moved when tiles come, in shown pixels; never further than its own width."""
        now = time.monotonic()
        before, then = self._seen if self._seen is not None else (view, now)
        self._seen = (view, now)
        if now <= then or now - then > _STILL_S or before.scale != view.scale:
            return 0.0, 0.0
        ahead = _AHEAD_S / (now - then)
        reach = view.width / view.scale
        dx, dy = ((end - start) * ahead for start, end in ((before.x, view.x), (before.y, view.y)))
        return max(-reach, min(reach, dx)), max(-reach, min(reach, dy))
