"""The file of `krunctl record`: any bytes are refused with a sentence, or replayed and shown; nothing else is raised."""

from __future__ import annotations

import json

from krun.record.file import RecordError, loads
from krun.record.machines import moments
from krun.record.moments import ReplayError
from krun.record.timeline import Chosen, as_json, clock, lines


def one_input(data: bytes) -> None:
    try:
        recording = loads(data)
    except RecordError as error:
        assert str(error)
        return
    seen = []
    try:
        for moment, at in moments(recording):
            json.dumps(as_json(moment, at))
            seen.append((moment, at))
    except ReplayError as error:
        assert str(error)
    for line in lines(seen, Chosen(everything=len(data) % 2 == 0)):
        assert "\n" not in clock(line.at)
