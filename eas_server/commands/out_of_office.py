"""Oof in Settings, [MS-ASCMD] 2.2.3.122: out of office, and what people are answered meanwhile.

What the protocol documents leave open is decided in docs/decisions/0024-automatic-replies.md.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from eas_server.commands.context import Context
from eas_server.errors import CommandError
from eas_server.model.preferences import AutomaticReply, OofState, OutOfOffice
from eas_server.model.settings import Answered
from eas_server.render.charsets import clean
from eas_server.render.text import html_from_plain, plain_from_html
from protocol.commands.oof import HTML, TEXT, CurrentSettings, NewSettings, OofMessage, Wanted
from protocol.commands.settings import Oof, OofAnswer, Status
from protocol.errors import MalformedXml
from protocol.schema import EMPTY, load

MAX_REPLY: Final = 128 * 1024
"""Characters of a message."""

AUDIENCES: Final = ("internal", "known", "unknown")
_ALLOWED: Final[Mapping[Answered, Collection[str]]] = {
    Answered.INTERNAL: AUDIENCES[:1],
    Answered.CONTACTS: AUDIENCES[:2],
    Answered.EVERYBODY: AUDIENCES,
}
_FORMS: Final[Mapping[str, bool]] = {TEXT.casefold(): False, HTML.casefold(): True}
_ENABLED: Final[Mapping[str, bool]] = {"0": False, "1": True}
_STATES: Final = frozenset(OofState)


async def answer(asked: Oof, ctx: Context) -> OofAnswer:
    """Carry out a Set, then a Get, where both are there. What is wrong with one is told in the Status of Oof alone."""
    allowed = _ALLOWED[ctx.settings.mail.automatic_replies]
    try:
        wanted = None if asked.get is None else _form(load(Wanted, asked.get).body_type)
        new = None if asked.set is None else load(NewSettings, asked.set)
        if new is not None:
            check(new)
            stored = await ctx.ports.preferences.change_preference(
                ctx.account.user, OutOfOffice, lambda before: stamped(before, changed(before, new, allowed), ctx.now)
            )
        elif wanted is not None:
            stored = await ctx.ports.preferences.preference(ctx.account.user, OutOfOffice)
        else:
            return OofAnswer(status=Status.PROTOCOL_ERROR)
    except MalformedXml:
        return OofAnswer(status=Status.PROTOCOL_ERROR)  # MS-ASCMD_R5845
    except CommandError as error:
        return OofAnswer(status=error.status)
    return OofAnswer(status=Status.SUCCESS, get=None if wanted is None else told(stored, allowed, html=wanted))


def _form(body_type: str) -> bool:
    """Whether the form is HTML. Raises CommandError for one that does not exist."""
    found = _FORMS.get(body_type.strip().casefold())
    if found is None:
        raise CommandError(Status.INVALID_ARGUMENTS, "BodyType is neither Text nor HTML")
    return found


def stamped(before: OutOfOffice, after: OutOfOffice, now: datetime) -> OutOfOffice:
    """What `before` becomes: any change begins a new period; a Set of what is there already does not."""
    return before if after == before else replace(after, since=now)


def check(new: NewSettings) -> None:
    """Raise CommandError for a Set that does not agree with itself or the documents."""
    if (new.start_time is None) != (new.end_time is None):
        raise CommandError(Status.PROTOCOL_ERROR, "one time without the other")  # MS-ASCMD_R3992, R5827
    if new.oof_state is not None and new.oof_state not in _STATES:
        raise CommandError(Status.INVALID_ARGUMENTS, f"OofState {new.oof_state}")
    if new.start_time is not None and new.end_time is not None and new.end_time <= new.start_time:
        raise CommandError(Status.CONFLICTING_ARGUMENTS, "the end is not after the start")
    audiences = [audience for message in new.messages for audience in _checked(message)]
    if len(set(audiences)) < len(audiences):
        raise CommandError(Status.CONFLICTING_ARGUMENTS, "two messages for one audience")  # MS-ASCMD_R3526


def _checked(message: OofMessage) -> tuple[str, ...]:
    """The audience of a message."""
    audiences = tuple(name for name in AUDIENCES if getattr(message, name) is not None)
    if not audiences:
        raise CommandError(Status.INVALID_ARGUMENTS, "a message for nobody")
    if len(audiences) > 1:
        raise CommandError(Status.CONFLICTING_ARGUMENTS, "a message for several audiences")  # MS-ASCMD_R3517
    if message.enabled is not None and message.enabled.strip() not in _ENABLED:
        raise CommandError(Status.INVALID_ARGUMENTS, "Enabled is neither 0 nor 1")
    if message.body_type is not None:
        _form(message.body_type)
    elif message.reply_message is not None:
        raise CommandError(Status.PROTOCOL_ERROR, "a message without BodyType")  # MS-ASCMD_R825
    if len(message.reply_message or "") > MAX_REPLY:
        raise CommandError(Status.INVALID_ARGUMENTS, "the message is too long")
    return audiences


def changed(stored: OutOfOffice, new: NewSettings, allowed: Collection[str] = AUDIENCES) -> OutOfOffice:
    """What is stored after a Set that holds by `check`. Raises CommandError for a time-based state without times.

    What is meant for audiences that the administrator does not allow is passed over (MS-ASCMD_R3523, R3524, R4394).
    """
    state = stored.state if new.oof_state is None else OofState(new.oof_state)
    start, end = stored.start, stored.end
    if new.oof_state == OofState.TIME_BASED and new.start_time is not None:
        start, end = new.start_time, new.end_time  # MS-ASCMD_R7544: with no other state they are stored
    if state is OofState.TIME_BASED and start is None:
        raise CommandError(Status.INVALID_ARGUMENTS, "time-based without times")
    messages = {name: message for message in new.messages for name in _checked(message) if name in allowed}
    return replace(
        stored,
        state=state,
        start=start,
        end=end,
        internal=_reply(stored.internal, messages.get("internal")),
        known=_reply(stored.known, messages.get("known")),
        unknown=_reply(stored.unknown, messages.get("unknown")),
    )


def _reply(reply: AutomaticReply, message: OofMessage | None) -> AutomaticReply:
    """The reply to an audience; what the message does not name stays."""
    if message is None:
        return reply
    if message.enabled is not None:
        reply = replace(reply, enabled=_ENABLED[message.enabled.strip()])
    if message.reply_message is not None and message.body_type is not None:
        reply = replace(reply, text=clean(message.reply_message), html=_form(message.body_type))
    return reply


def told(stored: OutOfOffice, allowed: Collection[str] = AUDIENCES, *, html: bool) -> CurrentSettings:
    """What is stored, with all messages in one form; audiences that are not allowed are off (MS-ASCMD_R3525)."""
    replies = {name: getattr(stored, name) if name in allowed else AutomaticReply() for name in AUDIENCES}
    timed = stored.state is OofState.TIME_BASED
    return CurrentSettings(
        oof_state=stored.state,
        start_time=stored.start if timed else None,
        end_time=stored.end if timed else None,
        messages=tuple(_message(name, reply, html=html) for name, reply in replies.items()),
    )


def _message(audience: str, reply: AutomaticReply, *, html: bool) -> OofMessage:
    text = reply.text
    if text and reply.html != html:
        text = html_from_plain(text) if html else plain_from_html(text)
    return OofMessage(
        **{audience: EMPTY},
        enabled="1" if reply.enabled else "0",
        reply_message=text or None,  # an audience without a message is told too (MS-ASCMD_R3505)
        body_type=HTML if html else TEXT,
    )
