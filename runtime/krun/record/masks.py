"""A recording without its secrets that is still decided alike.

Every password and key is replaced by a stand-in, everywhere by the same one: in the configurations and in the adverts that were heard and
sent. What was equal stays equal, what differed still differs. In an advert the checksum follows (RFC 1624), so that a right one stays
right and a wrong one stays wrong. What cannot be read as an advert keeps its header and its length, which is all that it is judged by.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

from krun.vrrp.checksum import ones_sum
from krun.vrrp.packet import AUTH_LENGTH, MIN_LENGTH, Malformed, parse, password_octets

_KEY = re.compile(r"(?:[0-9a-fA-F]{2}){32,64}\Z")
_NOTHING = bytes(AUTH_LENGTH)


class Masks:
    """Stand-ins, given out in the order in which secrets are met: they tell nothing of what they stand for."""

    def __init__(self) -> None:
        self._octets: dict[bytes, bytes] = {_NOTHING: _NOTHING}
        self._texts: dict[str, str] = {}

    def text(self, secret: str) -> str:
        """What stands for a secret of a configuration."""
        known = self._texts.get(secret)
        if known is None:
            known = self._texts[secret] = self._new(secret)
        return known

    def _new(self, secret: str) -> str:
        if _KEY.match(secret):
            stand_in = hashlib.sha512(f"key {len(self._texts)}".encode()).hexdigest()
            return stand_in[: len(secret)]
        octets = self.octets(password_octets(secret))
        stand_in = octets.rstrip(b"\0").decode("ascii")
        # Two that differ only beyond what goes over the wire are still two.
        again = sum(1 for other in self._texts.values() if other[:AUTH_LENGTH] == stand_in)
        return f"{stand_in}-{again}" if again else stand_in

    def octets(self, secret: bytes) -> bytes:
        """What stands for the eight octets of a password on the wire."""
        known = self._octets.get(secret)
        if known is None:
            known = self._octets[secret] = b"pw%06d" % len(self._octets)
        return known

    def pdu(self, pdu: bytes, family: str) -> bytes:
        """An advert with a stand-in for its password."""
        packet = parse(pdu, family)
        if isinstance(packet, Malformed):
            return pdu[:MIN_LENGTH] + bytes(max(len(pdu) - MIN_LENGTH, 0))
        if not packet.auth_data or packet.auth_data == _NOTHING:
            return pdu
        masked = self.octets(packet.auth_data)
        at = len(pdu) - AUTH_LENGTH
        # RFC 1624, equation 3; over words, so the place must be even, as it is.
        complement = bytes(~octet & 0xFF for octet in packet.auth_data + pdu[6:8])
        total = ones_sum(complement + masked) or 0xFFFF
        return pdu[:6] + (~total & 0xFFFF).to_bytes(2, "big") + pdu[8:at] + masked

    def document(self, value: Any) -> Any:
        """A configuration as plain data, with stand-ins for what it marks as secret (`kir.model.Secret`)."""
        if isinstance(value, dict):
            if value.keys() == {"secret"} and isinstance(value["secret"], str):
                return {"secret": self.text(value["secret"])}
            return {key: self.document(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.document(inner) for inner in value]
        return value


class NoMasks(Masks):
    """Leaves all secrets where they are."""

    def pdu(self, pdu: bytes, family: str) -> bytes:
        return pdu

    def document(self, value: Any) -> Any:
        return value


def decode64(text: object) -> bytes:
    """Octets as msgspec writes them to JSON. Raises ValueError."""
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from None


def encode64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
