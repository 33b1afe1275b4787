"""TLS for SSL_GET: non-blocking, over memory buffers; the peer's certificate is not judged.

A health check asks whether the service answers, not who it is: keepalived sets no verify mode, and neither do we. A certificate that
ran out must not take a whole pool down.
"""

from __future__ import annotations

import functools
import ssl


@functools.cache
def context() -> ssl.SSLContext:
    """The one client context of the process (made at the first use: it costs some milliseconds)."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


class TlsError(Exception):
    """The handshake or a record failed; the text says how."""


class TlsPipe:
    """A client TLS session between two memory buffers.

    ``server_name`` goes into the handshake (SNI, RFC 6066), None: none is sent. Feed it with what the network gives, send what
    `outgoing` gives.
    """

    __slots__ = ("_in", "_object", "_out", "ended", "established")

    def __init__(self, server_name: str | None) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        try:
            self._object = context().wrap_bio(self._in, self._out, server_hostname=server_name)
        except (ValueError, UnicodeError) as error:
            raise TlsError(f"{server_name!r} cannot be a TLS server name: {error}") from error
        self.established = False
        self.ended = False

    def handshake(self) -> bool:
        """Go on with the handshake; whether it is done."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise TlsError(_words(error)) from error
        self.established = True
        return True

    def incoming(self, data: bytes) -> None:
        """Octets from the network; empty: it ended."""
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    def outgoing(self) -> bytes:
        """Octets for the network."""
        return self._out.read()

    def write(self, data: bytes) -> None:
        """Plain octets to send."""
        self._object.write(data)

    def read(self, limit: int) -> bytes:
        """Plain octets that came in; empty: none now, or (``ended``) none any more."""
        try:
            data = self._object.read(limit)
        except ssl.SSLWantReadError:
            return b""
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            # Many servers close without a close_notify; for a check that is an end like any other.
            self.ended = True
            return b""
        except ssl.SSLError as error:
            raise TlsError(_words(error)) from error
        if not data:
            self.ended = True
        return data

    def bye(self) -> None:
        """Put a close_notify into `outgoing` (``tls_compliant``)."""
        try:
            self._object.unwrap()
        except (ssl.SSLError, OSError):
            pass  # the answer to ours is not waited for


def _words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLEOFError):
        return "TLS: the connection was closed in the handshake"
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return f"TLS: {reason}"
