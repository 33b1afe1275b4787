"""What a child answers to whoever asks for its recording (`krun.record.save`): one piece after the other, so that no advert waits."""

from __future__ import annotations

import time
from collections.abc import Iterator

from krun.control.framing import Message
from krun.control.server import Answer
from krun.loop.clock import now_us
from krun.parent.child import Child
from krun.record.dump import Piece, pieces


class Recorder:
    """One recording is handed out at a time; a new one takes the place of one that was not read to its end."""

    def __init__(self) -> None:
        self._under_way: Iterator[Piece] | None = None

    def answer(self, child: Child, request: Message, answer: Answer) -> None:
        """``begin``: from the first piece on."""
        said: Message = {"ok": True}
        if request.get("begin"):
            ring = getattr(child, "recorded", lambda: None)()
            if ring is None:
                answer(
                    {"ok": False, "error": "it remembers nothing (krun --record 0, or it has just started)"}
                )
                return
            self._under_way = pieces(ring)
            said["offset_s"] = time.time() - now_us() / 1e6
        if self._under_way is None:
            answer({"ok": False, "error": "the recording was begun anew by somebody else"})
            return
        piece = next(self._under_way, None)
        if piece is None:
            self._under_way = None
        answer({**said, "pieces": [] if piece is None else [piece], "done": piece is None})
