"""``auth_hmac``: whose adverts a director refuses, by key and mode. Keys are compared here, and never shown."""

from __future__ import annotations

from kcc.cluster.case import ClusterCase, place
from kcc.cluster.routers import VirtualRouter, held
from kcc.lower.scope import some
from kir.model import HmacKey, VrrpInstance


def refused_hashes(case: ClusterCase) -> None:
    """An advert with a hash is longer, so who knows of none refuses it; who enforces one refuses an advert without.

    Keys that lie in files are not known here: of them only the numbers are compared.
    """
    for router in case.shared():
        said: set[int] = set()
        for d, sender in router:
            for e, receiver in router:
                why = None if d == e else _refusal(case, d, sender, e, receiver)
                if why is None or {d, e} <= said:
                    continue
                said |= {d, e}
                _say(case, router, d, e, why)


def _refusal(
    case: ClusterCase, d: int, sender: VrrpInstance, e: int, receiver: VrrpInstance
) -> tuple[str, str] | None:
    """Why ``receiver`` of director ``e`` refuses what ``sender`` of director ``d`` sends, and what to do; None: it takes it."""
    key = _active(sender)
    if key is None:
        if receiver.hmac is None or receiver.hmac.mode != "enforce":
            return None
        how = "only receives them (`mode receive-only`)" if sender.hmac is not None else "sends none"
        return (
            f"{case.name(e)} asks for a keyed hash, and {case.name(d)} {how}",
            f"let {case.name(d)} send it (`mode enforce`), or write `mode permissive` in {case.name(e)} until it does",
        )
    if receiver.hmac is None:
        return (
            f"{case.name(d)} sends a keyed hash, and {case.name(e)} has no `auth_hmac`",
            "write the same `auth_hmac` in both files; with `mode receive-only` until all directors have the key",
        )
    known = next((k for k in receiver.hmac.keys if k.id == key.id), None)
    if known is None:
        numbers = some([str(k.id) for k in receiver.hmac.keys])
        return (
            f"{case.name(d)} sends with key {key.id}, and {case.name(e)} knows only key{'s' * (len(receiver.hmac.keys) > 1)} {numbers}",
            f"add key {key.id} to {case.name(e)} before it is the `active_key` of {case.name(d)}",
        )
    if key.secret is not None and known.secret is not None and key.secret.secret != known.secret.secret:
        return (
            f"key {key.id} is not the same in {case.name(d)} and {case.name(e)}",
            "write the same key in both files; a new one gets a new number, and is added everywhere before it is the `active_key`",
        )
    return None


def _active(instance: VrrpInstance) -> HmacKey | None:
    """The key that adverts are sent with; None where they carry no hash."""
    found = instance.hmac
    if found is None or found.mode == "receive-only":
        return None
    return next((key for key in found.keys if key.id == found.active_key), None)


def _say(case: ClusterCase, router: VirtualRouter, d: int, e: int, why: tuple[str, str]) -> None:
    sender, receiver = router.members[d], router.members[e]
    case.say(
        "KC1123",
        f"`{receiver.name}`: {why[0]}",
        place(e, receiver, "hmac"),
        (place(d, sender, "hmac"), f"`{sender.name}` of {case.name(d)}"),
        consequence=f"{case.name(e)} refuses the adverts of {case.name(d)} and becomes master beside it: "
        f"{some(sorted(held(receiver)) or ['the address'])} is on the link twice",
        help=why[1],
    )
