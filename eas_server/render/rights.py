"""Rights management on the wire: the license of a message, the list of templates, and the sealed form of a message.

A message is sealed for whoever cannot or may not see it: its header, a text that says that it is protected, and an
attachment without content where the protected message would be (`message.rpmsg`, as with AD RMS).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from eas_server.model.rights import Protection, RightsTemplate, granted, is_owner
from protocol.items.rights import NEVER, License, Template, Templates

SEALED_NAME: Final = "message.rpmsg"
SEALED_TYPE: Final = "application/x-microsoft-rpmsg-message"
NOTICE: Final = (
    "This message is protected. It can be read with an application that supports rights management, over a secure "
    "connection to the server that it was sent on, and as long as its sender allows."
)
PLACEHOLDER: Final = "The content of this message stays on the server that it was sent on."

_BOUNDARY: Final = "=_protected"


def templates(known: Sequence[RightsTemplate], languages: Sequence[str]) -> Templates:
    """What a client is offered, in the order of the configuration."""
    return Templates(
        templates=tuple(
            Template(
                template_id=each.key,
                template_name=in_language(each.names, each.name, languages),
                template_description=in_language(each.descriptions, each.description, languages),
            )
            for each in known
        )
    )


def in_language(texts: Mapping[str, str], english: str, languages: Sequence[str]) -> str:
    """The text in the language that is asked for, else in the closest one that is there (MS-ASRM_R204 to R206, R406).

    The closest: the same language without or with another region; then the next language asked for; then English.
    """
    known = {name.replace("_", "-").lower(): text for name, text in texts.items()}
    for asked in languages:
        primary = asked.partition("-")[0]
        for name in (asked, primary):
            if name in known:
                return known[name]
        related = sorted(name for name in known if name.partition("-")[0] == primary)
        if related:
            return known[related[0]]
        if primary == "en":
            return english
    return english


def license_of(
    protection: Protection, addresses: frozenset[str], now: datetime, languages: Sequence[str]
) -> License | None:
    """The license of who has these addresses; None for one that has none, for the time of the message is over."""
    rights = granted(protection, addresses, now)
    if rights is None:
        return None
    template, owner = protection.template, is_owner(protection, addresses)
    return License(
        owner=owner,
        content_owner=protection.owner,
        edit_allowed=rights.edit_allowed,
        reply_allowed=rights.reply_allowed,
        reply_all_allowed=rights.reply_all_allowed,
        forward_allowed=rights.forward_allowed,
        modify_recipients_allowed=rights.modify_recipients_allowed,
        extract_allowed=rights.extract_allowed,
        print_allowed=rights.print_allowed,
        export_allowed=rights.export_allowed,
        programmatic_access_allowed=rights.programmatic_access_allowed,
        content_expiry_date=NEVER if owner and template.owner_full_control else _ends(protection, now),
        template_id=template.key,
        template_name=in_language(template.names, template.name, languages),
        template_description=in_language(template.descriptions, template.description, languages),
    )


def _ends(protection: Protection, now: datetime) -> datetime:
    """When the client has to purge what it got: fetched again, it may get a later date (MS-ASRM_R26)."""
    days = protection.template.license_days
    lent = now + timedelta(days=days) if days else NEVER
    return min(lent, protection.expires or NEVER)


def sealed_message(header: bytes) -> bytes:
    """The sealed form of a message with that header: its lines without those that describe the content."""
    top = header.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if top and not top.endswith(b"\r\n"):
        top += b"\r\n"
    lines = (
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{_BOUNDARY}"',
        "Content-Class: rpmsg.message",
        "",
        f"--{_BOUNDARY}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        NOTICE,
        f"--{_BOUNDARY}",
        f'Content-Type: {SEALED_TYPE}; name="{SEALED_NAME}"',
        f'Content-Disposition: attachment; filename="{SEALED_NAME}"',
        "",
        PLACEHOLDER,
        f"--{_BOUNDARY}--",
        "",
    )
    return top + "\r\n".join(lines).encode("ascii")
