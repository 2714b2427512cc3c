"""Get and Set of Oof in Settings, [MS-ASCMD] 2.2.3.122: read apart from the command, for their own Status."""

from datetime import datetime

from protocol.schema import Empty, el, element

TEXT = "Text"
HTML = "HTML"
"""The values of BodyType (MS-ASCMD_R821)."""


@element("Settings:Get")
class Wanted:
    """What a Get asks for: all messages in one form (MS-ASCMD_R3117)."""

    body_type: str = el("Settings:BodyType")


@element("Settings:OofMessage")
class OofMessage:
    """What one audience is answered, [MS-ASCMD] 2.2.3.123: one of the first three is there."""

    internal: Empty | None = el("Settings:AppliesToInternal", default=None)
    known: Empty | None = el("Settings:AppliesToExternalKnown", default=None)
    unknown: Empty | None = el("Settings:AppliesToExternalUnknown", default=None)
    enabled: str | None = el("Settings:Enabled", default=None)
    """`1` or `0`."""
    reply_message: str | None = el("Settings:ReplyMessage", default=None)
    body_type: str | None = el("Settings:BodyType", default=None)
    """Always there where `reply_message` is (MS-ASCMD_R825, R826)."""


@element("Settings:Set")
class NewSettings:
    """What a Set changes; what is not named stays as it is."""

    oof_state: int | None = el("Settings:OofState", default=None)
    start_time: datetime | None = el("Settings:StartTime", default=None)
    end_time: datetime | None = el("Settings:EndTime", default=None)
    messages: tuple[OofMessage, ...] = el(default=())


@element("Settings:Get")
class CurrentSettings:
    """What a Get is answered with: one message an audience (MS-ASCMD_R3504)."""

    oof_state: int | None = el("Settings:OofState", default=None)
    start_time: datetime | None = el("Settings:StartTime", default=None)
    end_time: datetime | None = el("Settings:EndTime", default=None)
    messages: tuple[OofMessage, ...] = el(default=())
