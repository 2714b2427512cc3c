"""The protocol versions, [MS-ASHTTP] 2.2.1.1.2.2 (MS-ASProtocolVersion)."""

from enum import IntEnum


class ProtocolVersion(IntEnum):
    """A protocol version as ten times its number; ordered, so `version >= V14_0` reads as it should."""

    V2_5 = 25
    V12_0 = 120
    V12_1 = 121
    V14_0 = 140
    V14_1 = 141
    V16_0 = 160
    V16_1 = 161

    def __str__(self) -> str:
        """The form of the header: `14.1`."""
        return f"{self.value // 10}.{self.value % 10}"

    @classmethod
    def parse(cls, text: str) -> "ProtocolVersion":
        """Read the form of the header. Raises ValueError for anything that is no known version."""
        for version in cls:
            if str(version) == text.strip():
                return version
        raise ValueError(f"{text!r} is no Exchange ActiveSync protocol version")


V2_5 = ProtocolVersion.V2_5
V12_0 = ProtocolVersion.V12_0
V12_1 = ProtocolVersion.V12_1
V14_0 = ProtocolVersion.V14_0
V14_1 = ProtocolVersion.V14_1
V16_0 = ProtocolVersion.V16_0
V16_1 = ProtocolVersion.V16_1

SUPPORTED: tuple[ProtocolVersion, ...] = (V12_1, V14_0, V14_1, V16_0, V16_1)
"""What this implementation speaks, oldest first."""
