"""Remote wipe, [MS-ASPROV] 3.2.5.1.2.2 and 3.2.5.1.2.3: who may be told to, and the mail on what became of it."""

from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from hashlib import sha256
from typing import Final

from eas_server.model.blob import MemoryBlob
from eas_server.model.device import WIPING, Device, Wipe
from eas_server.model.directory import Account
from eas_server.model.mail import NewMessage
from eas_server.render.mime import index_message
from eas_server.submission.header import safe
from eas_server.submission.trace import server_name
from protocol.versions import V16_1, ProtocolVersion

_NAME_LIMIT: Final = 60
"""Characters of what a device calls itself that are quoted."""
_KINDS: Final = {False: "remote wipe", True: "account-only remote wipe"}

_DONE: Final = """\
Your device has confirmed the {kind}
that the administrator of this server asked for.

{meaning}
"""
_FAILED: Final = """\
Your device says that it could not carry out the {kind}
that the administrator of this server asked for.

What it holds may still be on it. It is told again when it comes,
and gets nothing else until it confirms.
"""
_WHOLE: Final = "It was told to erase all that it holds."
_ACCOUNT: Final = "It was told to erase what it holds of this account, and nothing else."
_DETAILS: Final = """
Name:       {name}
DeviceId:   {id}
Type:       {type}
Heard from: {now}
"""


def wipe_refusal(device: Device, *, account_only: bool) -> str:
    """Why a device cannot be told to wipe itself so; "" where it can.

    The wipe of an account alone is of 16.1 (MS-ASPROV_R6906), and never stands in for that of the whole device.
    """
    if not account_only:
        return ""
    if not _knows_account_only(device):
        return f"speaks {device.version or 'an unknown version'}; a wipe of the account alone needs {V16_1}"
    if device.wipe in WIPING and not device.wipe_account_only:
        return "is to be wiped as a whole already: cancel that first"
    return ""


def _knows_account_only(device: Device) -> bool:
    try:
        return ProtocolVersion.parse(device.version) >= V16_1
    except ValueError:
        return False


def with_wipe(device: Device, *, account_only: bool) -> Device:
    """The device as one that is to be told to wipe itself."""
    return replace(device, wipe=Wipe.PENDING, wipe_account_only=account_only)


def is_wiping(device: Device, *, account_only: bool) -> bool:
    """Whether a wipe of this kind is asked for, and not confirmed."""
    return device.wipe in WIPING and device.wipe_account_only is account_only


def without_wipe(device: Device) -> Device:
    """The device as one that nothing was asked of; what it was told already it may do all the same."""
    return replace(device, wipe=Wipe.NONE, wipe_account_only=False)


def wipe_notice(device: Device, account: Account, now: datetime) -> NewMessage:
    """The mail to the user on a wipe that has become DONE or FAILED."""
    host = server_name("", account.address)
    named = next((device.details[key] for key in ("FriendlyName", "Model") if device.details.get(key)), "")
    name = safe(named or device.type or device.id)[:_NAME_LIMIT]
    kind, done = _KINDS[device.wipe_account_only], device.wipe is Wipe.DONE
    meaning = _ACCOUNT if device.wipe_account_only else _WHOLE
    text = (_DONE if done else _FAILED).format(kind=kind, meaning=meaning)
    details = _DETAILS.format(name=name, id=safe(device.id), type=safe(device.type), now=f"{now:%Y-%m-%d %H:%M UTC}")
    digest = sha256(repr((device.user, device.id, device.wipe, now)).encode("utf-8", "replace")).hexdigest()[:32]
    message = EmailMessage(policy=SMTP if account.address.isascii() else SMTPUTF8)
    message["From"] = f"Postmaster <postmaster@{host}>"
    message["To"] = account.address
    message["Subject"] = f"{kind[0].upper()}{kind[1:]} {'confirmed' if done else 'failed'}: {name}"
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{digest}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text + details, charset="utf-8")
    octets = message.as_bytes()
    index, found = index_message(octets)
    return NewMessage(content=MemoryBlob(octets), index=index, text=found, received=now)
