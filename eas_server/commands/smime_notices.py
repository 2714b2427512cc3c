"""The message in the sender's Inbox about mail that the policy on S/MIME does not like: what was wrong, what to do.

One for each message, however often a client tries to send it, and so many a day at most.
"""

import logging
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from eas_server.commands.context import Context
from eas_server.errors import NoSuchFolder, StoreFull, Unavailable
from eas_server.interfaces import Delivery, Submission
from eas_server.model.blob import MemoryBlob
from eas_server.model.enforcement import Measure
from eas_server.model.mail import FolderType, NewMessage
from eas_server.render import headers
from eas_server.render.mime import index_message
from eas_server.submission.header import Header, safe
from eas_server.submission.trace import server_name

if TYPE_CHECKING:
    from eas_server.commands.smime_policy import Judgement

log = logging.getLogger(__name__)

NOTICES_A_DAY: Final = 20
"""For one user."""
_REMEMBERED: Final = timedelta(days=7)
"""How long a message that a notice told of is known: clients try for days."""
_DAY: Final = timedelta(days=1)
_SUBJECT_LIMIT: Final = 120
_DOMAINS_SHOWN: Final = 20

_REFUSED: Final = """\
Your message was NOT sent, to nobody.
"""
_PASSED: Final = """\
Your message was sent. Please read this all the same.
"""
_MESSAGE: Final = """
Subject:    {subject}
Sent:       {now}
Recipients: {domains}

"""
_SIGNED: Final = """\
It is not signed. The rules of your organization ask you to sign mail
with S/MIME.
"""
_SIGNATURE: Final = """\
It is signed, but the signature does not count:
{reason}.
"""
_ENCRYPTED: Final = """\
It is not encrypted. The rules of your organization ask you to encrypt
mail with S/MIME.
"""
_WEAK: Final = """\
It is protected by something that does not protect any more:
{weak}.
"""
_SWITCH: Final = """
What to do: in the settings of the account on your device, switch on what is
missing (S/MIME: sign, encrypt), then send the message again. If your device
has no certificate yet, or says that there is none for a recipient, ask your
administrator.
"""
_RENEW: Final = """
What to do: choose stronger algorithms in the settings of your mail program
(AES, SHA-256), or ask your administrator for a new certificate with a longer
key.
"""
_GIVE_UP: Final = """
A device may go on trying to send the message, in vain: delete it from its
Outbox.
"""


async def tell_sender(judgement: "Judgement", header: Header, digest: bytes, ctx: Context) -> None:
    """Put a message into the sender's Inbox, unless there is one about this message, or there were many today."""
    try:
        if not await _is_due(digest, ctx):
            return
        delivery = Delivery(
            user=ctx.account.user, folder=FolderType.INBOX, message=_notice(judgement, header, digest, ctx)
        )
        await ctx.ports.submission.submit(
            Submission(user=ctx.account.user, source=None, deliveries=(delivery,), forwarding=None, now=ctx.now)
        )
    except (Unavailable, StoreFull, NoSuchFolder) as error:
        log.warning("request %s: the sender could not be told of the policy: %r", ctx.request_id, error)


async def _is_due(digest: bytes, ctx: Context) -> bool:
    once = ctx.ports.preferences.mark_once
    if not await once(ctx.account.user, f"smime-notice {digest.hex()}", ctx.now, ctx.now + _REMEMBERED):
        return False
    for number in range(NOTICES_A_DAY):
        if await once(ctx.account.user, f"smime-notices {number}", ctx.now, ctx.now + _DAY):
            return True
    return False


def _notice(judgement: "Judgement", header: Header, digest: bytes, ctx: Context) -> NewMessage:
    account, refused = ctx.account, judgement.measure is Measure.REFUSE
    host = server_name(ctx.settings.external_url, account.address)
    subject = safe(headers.text(header.first(b"subject") or b""))[:_SUBJECT_LIMIT]
    message = EmailMessage(policy=SMTP if account.address.isascii() else SMTPUTF8)
    message["From"] = f"Postmaster <postmaster@{host}>"
    message["To"] = account.address
    message["Subject"] = safe(f"{'Not sent' if refused else 'About your message'}: {subject or '(no subject)'}")
    message["Date"] = format_datetime(ctx.now)
    name = sha256(repr((account.user, digest, ctx.now, judgement)).encode("utf-8", "replace")).hexdigest()[:32]
    message["Message-ID"] = f"<{name}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_text(judgement, subject, ctx), charset="utf-8")
    octets = message.as_bytes()
    index, found = index_message(octets)
    return NewMessage(content=MemoryBlob(octets), index=index, text=found, received=ctx.now)


def _text(judgement: "Judgement", subject: str, ctx: Context) -> str:
    refused = judgement.measure is Measure.REFUSE
    shown = ", ".join(safe(domain) for domain in judgement.domains[:_DOMAINS_SHOWN])
    if len(judgement.domains) > _DOMAINS_SHOWN:
        shown += ", …"
    text = _REFUSED if refused else _PASSED
    text += _MESSAGE.format(subject=subject, now=f"{ctx.now:%Y-%m-%d %H:%M UTC}", domains=shown or "all")
    if judgement.reason:
        text += _SIGNATURE.format(reason=safe(judgement.reason))
    elif "signed" in judgement.missing:
        text += _SIGNED
    if "encrypted" in judgement.missing:
        text += _ENCRYPTED
    if judgement.weak:
        text += _WEAK.format(weak=safe(", ".join(judgement.weak)))
    text += _SWITCH if judgement.missing else ""
    text += _RENEW if judgement.weak else ""
    return text + (_GIVE_UP if refused else "")
