"""The properties of a message as clients get them, and the flags that clients set ([MS-ASEMAIL] 2.2.2)."""

from collections.abc import Callable
from datetime import datetime

from eas_server.model.ids import Revision
from eas_server.model.mail import Attachment, Flag, Item
from protocol.items import airsyncbase, email
from protocol.items.airsyncbase import Attachments, Body, BodyPart
from protocol.items.email import Email, FlagStatus, Importance, LastVerb, MeetingRequest

FileReference = Callable[[int], str]
"""Gives the FileReference of the attachment with that number in the index, counted from 0."""


def email_properties(
    item: Item,
    body: Body | None,
    *,
    file_reference: FileReference,
    body_part: BodyPart | None = None,
    is_draft: bool | None = None,
    meeting: MeetingRequest | None = None,
) -> Email:
    """All properties of a message: for an Add, a full Change, a Fetch or a search result.

    Writing them for a version leaves out what that version does not have.
    """
    index = item.index
    state = item.state
    return Email(
        to=index.to or None,
        cc=index.cc or None,
        sender=index.sender or None,
        subject=index.subject,
        reply_to=index.reply_to or None,
        date_received=item.received,
        display_to=index.display_to or None,
        thread_topic=index.thread_topic or None,
        importance=Importance(index.importance),
        read=state.read,
        attachments=_attachments(index.attachments, file_reference),
        body=body,
        message_class=index.message_class,
        meeting_request=meeting,
        internet_cpid=str(index.codepage),
        flag=flag_element(state.flag),
        content_class=index.content_class,
        native_body_type=index.native_body_type,
        conversation_id=index.conversation_id,
        conversation_index=index.conversation_index,
        last_verb_executed=LastVerb(state.verb) if state.verb is not None else None,
        last_verb_execution_time=state.verb_time,
        received_as_bcc=True if index.received_as_bcc else None,  # MS-ASEMAIL_R649: never sent as 0
        sending_agent=index.sending_agent or None,
        categories=state.categories,
        body_part=body_part,
        bcc=index.bcc or None,
        is_draft=is_draft,
    )


def _attachments(attachments: tuple[Attachment, ...], file_reference: FileReference) -> Attachments | None:
    if not attachments:
        return None
    return Attachments(
        changes=tuple(
            airsyncbase.Attachment(
                display_name=attachment.name,
                file_reference=file_reference(number),
                method=airsyncbase.Method(attachment.method),
                estimated_data_size=attachment.size,
                content_id=attachment.content_id or None,
                content_location=attachment.content_location or None,
                is_inline=True if attachment.inline else None,
            )
            for number, attachment in enumerate(attachments)
        )
    )


# ---- changes


def only_state_changed(item: Item, held: Revision) -> bool:
    """Whether a client that holds revision `held` needs no more than `state_properties`.

    Read, Flag and Categories go alone when nothing else changed; else the full item goes (MS-ASEMAIL_R80 ff.).
    """
    return item.changed.content <= held


def state_properties(item: Item, held: Revision) -> Email:
    """The Change for a client that holds revision `held`: each of Read, Flag and Categories if it changed since.

    Equal to `Email()` where none of them did: nothing is sent then (MS-ASEMAIL_R81).
    """
    changed, state = item.changed, item.state
    return Email(
        read=state.read if changed.read > held else None,
        flag=flag_element(state.flag) if changed.flag > held else None,
        categories=state.categories if changed.categories > held else None,
    )


def flag_element(flag: Flag | None) -> email.Flag:
    """The Flag element; an empty one for a message without flag (MS-ASEMAIL_R437)."""
    if flag is None:
        return email.Flag()
    return email.Flag(
        subject=flag.subject,
        status=FlagStatus(flag.status),
        flag_type=flag.type or None,
        date_completed=flag.date_completed,
        complete_time=flag.completed,
        start_date=flag.start,
        due_date=flag.due,
        utc_start_date=flag.utc_start,
        utc_due_date=flag.utc_due,
        reminder_set=flag.reminder_set,
        reminder_time=flag.reminder_time,
        ordinal_date=flag.ordinal_date,
        sub_ordinal_date=flag.sub_ordinal_date,
    )


def names_voice_mail(email: Email) -> bool:
    """Whether a client sends what only a server says, which gives Status 6 (MS-ASEMAIL_R817, R835)."""
    return email.um_caller_id is not None or email.um_user_notes is not None


def names_read_only(change: Email, item: Item) -> bool:
    """Whether a Change gives a message what no client can give it, or no other value: Status 6.

    ConversationId is refused whatever it says (MS-ASEMAIL_R347), Sender and ReceivedAsBcc where they are others
    (R723, R648).
    """
    if change.conversation_id is not None or names_voice_mail(change):
        return True
    if change.sending_agent is not None and change.sending_agent != item.index.sending_agent:
        return True
    return change.received_as_bcc not in (None, item.index.received_as_bcc)


class InvalidFlag(ValueError):
    """A Flag that the documents forbid; the item's Status is 6 (MS-ASEMAIL_R92)."""


def flag_from_client(element: email.Flag, stored: Flag | None = None, *, message_class: str = "") -> Flag | None:
    """What a client sets on a message of that class with the flag `stored`; None clears the flag (Status 0, or an empty
    element: MS-ASEMAIL_R88, R8800).

    A flag that is completed keeps what the client does not speak of, an active one its type (MS-ASEMAIL_R90). Raises
    InvalidFlag.
    """
    if element == email.Flag() or element.status is FlagStatus.CLEARED:
        return None
    if element.status is None:
        raise InvalidFlag("a Flag without Status")
    _check_dates(element)
    if element.status is FlagStatus.COMPLETE and None in (element.complete_time, element.date_completed):
        raise InvalidFlag("a completed Flag without CompleteTime and DateCompleted")
    if element.date_completed is not None and element.complete_time is None:  # MS-ASEMAIL_R359
        raise InvalidFlag("DateCompleted without CompleteTime")
    if element.reminder_set and element.reminder_time is None:  # MS-ASEMAIL_R701
        raise InvalidFlag("ReminderSet without ReminderTime")
    kept = stored or Flag()
    if element.status is FlagStatus.ACTIVE:
        if not (element.flag_type or kept.type or _is_meeting(message_class)):  # MS-ASEMAIL_R940, R470
            raise InvalidFlag("an active Flag without FlagType")
        kept = Flag(type=kept.type)
    return _merged(element, element.status, kept)


def _merged(element: email.Flag, status: FlagStatus, kept: Flag) -> Flag:
    """What the element says, else what `kept` says; the four dates go together."""
    dated = kept if element.start_date is None else None
    return Flag(
        status=int(status),
        type=element.flag_type or kept.type,
        subject=kept.subject if element.subject is None else element.subject,
        start=dated.start if dated else element.start_date,
        utc_start=dated.utc_start if dated else element.utc_start_date,
        due=dated.due if dated else element.due_date,
        utc_due=dated.utc_due if dated else element.utc_due_date,
        completed=element.complete_time,
        date_completed=element.date_completed,
        reminder_set=kept.reminder_set if element.reminder_set is None else element.reminder_set,
        reminder_time=kept.reminder_time if element.reminder_time is None else element.reminder_time,
        ordinal_date=kept.ordinal_date if element.ordinal_date is None else element.ordinal_date,
        sub_ordinal_date=kept.sub_ordinal_date if element.sub_ordinal_date is None else element.sub_ordinal_date,
    )


def _is_meeting(message_class: str) -> bool:
    return message_class.upper().startswith("IPM.SCHEDULE.MEETING")


def _check_dates(element: email.Flag) -> None:
    """All four dates or none (MS-ASEMAIL_R408), and due not before start (R406, R850)."""
    dates = (element.start_date, element.due_date, element.utc_start_date, element.utc_due_date)
    if any(date is None for date in dates) and any(date is not None for date in dates):
        raise InvalidFlag("StartDate, DueDate, UtcStartDate and UtcDueDate belong together")
    if _before(element.due_date, element.start_date) or _before(element.utc_due_date, element.utc_start_date):
        raise InvalidFlag("a Flag that is due before it starts")


def _before(due: datetime | None, start: datetime | None) -> bool:
    return due is not None and start is not None and due < start
