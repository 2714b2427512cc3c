"""What a client says of a message -> what to change in the store. [MS-ASEMAIL] 2.2.2.34, 3.1.5.3 (flags)."""

from eas_server.model.mail import KEEP, Flag, Keep, StateChange
from protocol.items.email import Email, FlagStatus
from protocol.items.email import Flag as WireFlag


class UnacceptableChange(Exception):
    """The change lacks something that the documents require, or names what a client cannot change (Status 6)."""


def state_change(email: Email) -> StateChange:
    """The change that the ApplicationData of a Change asks for. Raises UnacceptableChange.

    Of a message that is no draft, only Read, Flag and Categories can change; other elements are ignored, since they
    may be sent along (MS-ASCMD_R875).
    """
    return StateChange(
        read=KEEP if email.read is None else email.read,
        flag=_flag(email.flag),
        categories=KEEP if email.categories is None else email.categories,
    )


def _flag(flag: WireFlag | None) -> Flag | Keep | None:
    """A flag without content, or with Status 0, clears (MS-ASEMAIL_R437, R88)."""
    if flag is None:
        return KEEP
    if flag == WireFlag() or flag.status is FlagStatus.CLEARED:
        return None
    if flag.status is FlagStatus.COMPLETE and not (flag.complete_time and flag.date_completed):
        raise UnacceptableChange("a completed flag needs CompleteTime and DateCompleted")  # MS-ASEMAIL_R86, R92
    if flag.status is FlagStatus.ACTIVE and flag.flag_type is None:
        raise UnacceptableChange("an active flag needs FlagType")  # MS-ASEMAIL_R92
    if (flag.start_date is None) != (flag.due_date is None):
        raise UnacceptableChange("StartDate and DueDate go together")
    return Flag(
        status=int(flag.status if flag.status is not None else FlagStatus.ACTIVE),
        type=flag.flag_type or "",
        subject=flag.subject,
        start=flag.start_date,
        utc_start=flag.utc_start_date,
        due=flag.due_date,
        utc_due=flag.utc_due_date,
        completed=flag.complete_time,
        date_completed=flag.date_completed,
        reminder_set=flag.reminder_set,
        reminder_time=flag.reminder_time,
        ordinal_date=flag.ordinal_date,
        sub_ordinal_date=flag.sub_ordinal_date,
    )
