"""A message as SMTP and LMTP carry it: CRLF line ends, and no line that could be taken for the end ([RFC 5321] 4.5.2).

SMTP has no other line ends, so LF and CR become CRLF here. That is what a verifier of signatures does with text too
([RFC 8551] 3.1.1); what is stored keeps its octets.
"""

from typing import Final

END: Final = b".\r\n"


class SmtpLines:
    """Turns runs of octets into what follows DATA."""

    def __init__(self) -> None:
        self._held = b""
        self._line_start = True

    def feed(self, octets: bytes) -> bytes:
        """The next run."""
        octets = self._held + octets
        self._held = b"\r" if octets.endswith(b"\r") else b""
        return self._lines(octets[: len(octets) - len(self._held)])

    def finish(self) -> bytes:
        """What was held back, a last line end where there is none, and the end mark."""
        rest = self._lines(self._held)
        return rest + (b"" if self._line_start else b"\r\n") + END

    def _lines(self, octets: bytes) -> bytes:
        if not octets:
            return b""
        octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        dot = b"." if self._line_start and octets.startswith(b".") else b""
        self._line_start = octets.endswith(b"\n")
        return dot + octets.replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")
