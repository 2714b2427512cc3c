"""What a protected message lets the server do in SmartReply and SmartForward ([MS-ASRM] 3.2.5.1): pure decisions."""

from dataclasses import dataclass
from enum import Enum

from eas_server.model.rights import Rights


class Added(Enum):
    """What goes out of the original with the client's message."""

    QUOTED = "quoted"
    """Its text below the client's, and its attachments where it is forwarded: as with any message."""
    ATTACHED = "attached"
    """The message as an attachment, readable under the protection of the one that goes out."""
    SEALED = "sealed"
    """The text that says that it is protected, and an attachment that nobody can read."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Addresses in lower case: of the client's message, and of the original."""

    named: frozenset[str]
    own: frozenset[str]
    """The user's. Whether the user is among the recipients is left to the client (MS-ASRM_R388, R391)."""
    sender: frozenset[str]
    """Who wrote the original, and where answers to it go, if that is said."""
    recipients: frozenset[str]
    """To and Cc of the original."""


def may_reply(rights: Rights, people: People) -> bool:
    """Whether an answer may go to these recipients (MS-ASRM_R383 to R392)."""
    if rights.modify_recipients_allowed:
        return True
    to_one = _is_one_of(people.named, people.sender, people.own)
    to_all = any(
        people.named - people.own == ({author} | people.recipients) - people.own
        for author in people.sender or frozenset({""})
    )
    return (rights.reply_allowed and to_one) or (rights.reply_all_allowed and to_all)


def _is_one_of(named: frozenset[str], sender: frozenset[str], own: frozenset[str]) -> bool:
    """Whether the message goes to the sender of the original and nobody else, save the user."""
    others = named - own
    return (len(others) == 1 and others <= sender) or (not others and bool(named & sender))


def may_forward(rights: Rights) -> bool:
    """MS-ASRM_R384, R386."""
    return rights.forward_allowed


def added(rights: Rights | None, *, same: bool, whole: bool) -> Added:
    """What is added of a protected original to a message with a TemplateID: the table behind MS-ASRM_R252.

    `rights` None: the original cannot be read any more. `same`: its template is asked for again. `whole`: ReplaceMime.
    """
    if whole:
        return Added.NOTHING  # MS-ASRM_R42, R471, R253 to R260
    if rights is None or not (same or rights.export_allowed):
        return Added.SEALED  # MS-ASRM_R266, R268: what keeps its own protection is nobody's to read inside another
    return Added.QUOTED if rights.edit_allowed else Added.ATTACHED  # MS-ASRM_R261 to R265, R267


def added_without_template(*, whole: bool) -> Added:
    """The same for a message without a TemplateID, which goes out without protection (MS-ASRM_R218, R219, R367)."""
    return Added.NOTHING if whole else Added.SEALED
