"""The verdict on a cell's story. One judge for krun and for the reference."""

from __future__ import annotations

from wire.cell import LATITUDE, Story

__all__ = ["faults"]

#: Who is the master at each stage: the only one to speak, and the only one with the virtual addresses.
MASTER = {"start": "a", "takeover": "b", "give-back": "a", "stop": "b"}


def faults(story: Story) -> list[str]:
    """What is not as the protocol and the configuration want it, in words."""
    cell = story.cell
    found = []
    if story.trouble:
        found.append(f"broken off at {story.trouble}")
    for what, measured, limit in (
        ("takeover after the dead master's last advert", story.takeover, cell.master_down("b") + LATITUDE),
        ("handover after priority 0", story.handover, cell.skew("b") + LATITUDE),
        ("two masters at give-back", story.overlap, LATITUDE),
    ):
        if measured is not None and measured > limit:
            found.append(f"{what}: {measured:.3f} s, more than {limit:.3f} s")
    # Too early is as wrong as too late: the survivor may not cut the master's time short. A little less
    # is its clock's granularity and the capture's.
    if story.takeover is not None and story.takeover < cell.master_down("b") - 0.02:
        found.append(f"takeover {story.takeover:.3f} s after the last advert, before the timer could end")
    for stage, holders in story.holders.items():
        wanted = [MASTER[stage]] if stage in MASTER else []
        if holders != wanted:
            found.append(f"{stage}: the virtual addresses are on {holders}, expected {wanted}")
    for stage, speakers in story.speakers.items():
        if speakers != {MASTER[stage]}:
            found.append(f"{stage}: adverts of {sorted(speakers)}, expected {MASTER[stage]} alone")
    if story.wrong_adverts:
        found.append(f"{len(story.wrong_adverts)} adverts are not right, the first: {story.wrong_adverts[0]}")
    if story.exit_status not in (0, None):
        found.append(f"an orderly stop ended with {story.exit_status}")
    if story.dropped:
        found.append(f"the capture lost {story.dropped} frames")
    return found
