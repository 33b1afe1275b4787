"""What letters say of virtual routers and sync groups, and which changes are worth one (keepalived.conf(5): ``smtp_alert``)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from kir.model import Config, SyncGroup, VrrpInstance
from krun.notify.mail.sender import Sender
from krun.vrrp.effects import TellOutside

PREFIX = "mail "
"""Of the promises: what was last told of whom."""

_SUBJECTS = {
    "MASTER": "Entering MASTER state",
    "BACKUP": "Entering BACKUP state",
    "FAULT": "Entering FAULT state",
    "STOP": "Stopping",
    "DELETED": "Deleted",
}


class Keeper(Protocol):
    """What is needed of `krun.parent.promises.PromiseWriter`."""

    def promise(self, key: str, value: bytes) -> None: ...

    def withdraw(self, key: str) -> None: ...


class VrrpLetters:
    """Knows what was told last, so that the same state is not told twice in a row: not after a reload, and, by promises, not by the
    successor of a process that died. ``reasons``: why an instance is in FAULT, by its name.
    """

    def __init__(
        self,
        post: Sender,
        keeper: Keeper,
        promises: Mapping[str, bytes],
        reasons: Callable[[str], Collection[str]] = lambda _name: (),
    ) -> None:
        self._post = post
        self._keeper = keeper
        self._reasons = reasons
        self._last = {
            key.removeprefix(PREFIX): value.decode("utf-8", "replace")
            for key, value in promises.items()
            if key.startswith(PREFIX)
        }
        self._no_faults = False
        self._about: dict[tuple[str, str], VrrpInstance | SyncGroup] = {}
        self._before = self._about

    def follow(self, config: Config) -> None:
        """From now on this configuration counts; what ends now is still told as the one before it says."""
        self._post.configure(config.global_defs)
        self._no_faults = config.global_defs.no_email_faults
        self._before, self._about = self._about, {("GROUP", g.name): g for g in config.vrrp_sync_groups}
        self._about |= {("INSTANCE", i.name): i for i in config.vrrp_instances}
        known = {f"{kind} {name}" for kind, name in (*self._before, *self._about)}
        for key in [key for key in self._last if key not in known]:
            del self._last[key]
            self._keeper.withdraw(PREFIX + key)

    def tell(self, change: TellOutside) -> None:
        """A change of state: a letter, if somebody wants it and it is news."""
        text = _SUBJECTS.get(change.word)
        at = (change.kind, change.name)
        about = self._about.get(at) or self._before.get(at)
        if text is None or about is None or not about.smtp_alert:
            return
        if change.word == "FAULT" and self._no_faults:
            return
        key = f"{change.kind} {change.name}"
        if self._last.get(key) == change.word:
            return
        if change.word in ("STOP", "DELETED"):
            self._last.pop(key, None)
            self._keeper.withdraw(PREFIX + key)
        else:
            self._last[key] = change.word
            self._keeper.promise(PREFIX + key, change.word.encode())
        if isinstance(about, SyncGroup):
            self._post.send(f"VRRP Group {change.name} - {text}", f"=> {_group(about, change.word)} <=")
        else:
            body = _instance(about, change, self._reasons(change.name))
            self._post.send(f"VRRP Instance {change.name} - {text}", f"=> {body} <=")


def _instance(config: VrrpInstance, change: TellOutside, reasons: Collection[str]) -> str:
    vips = [f"{vip.address}/{vip.prefix}" for vip in (*config.vips, *config.excluded_vips)]
    shown = ", ".join(vips[:20]) + (f" and {len(vips) - 20} more" if len(vips) > 20 else "")
    who = f"VRRP instance {config.name} (VRID {config.vrid} on {config.interface})"
    if change.word == "MASTER":
        return (
            f"{who} is master with priority {change.priority}: this router now owns {shown or 'no address'}"
        )
    if change.word == "BACKUP":
        return f"{who} is backup with priority {change.priority}: this router does not own {shown or 'any address'}"
    if change.word == "FAULT":
        return f"{who} is in fault and takes no part: {'; '.join(sorted(reasons)) or 'see the log'}"
    if change.word == "STOP":
        return f"{who} stops: this router gives up {shown or 'no address'}"
    return f"{who} is deleted: the new configuration does not have it"


def _group(config: SyncGroup, word: str) -> str:
    who = f"VRRP sync group {config.name} ({', '.join(config.members[:50])})"
    if word == "STOP":
        return f"{who} stops"
    if word == "DELETED":
        return f"{who} is deleted: the new configuration does not have it"
    return f"{who}: all its instances are in {word} state now"
