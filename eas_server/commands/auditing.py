"""What handlers tell the audit trail, each by one call. The trail never holds them up."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from eas_server.audit import log_fields
from eas_server.commands.context import Context
from eas_server.model.audit import AuditEvent, AuditKind, Value
from eas_server.model.trust import fingerprint_of
from eas_server.pki.message_kind import Class
from eas_server.pki.verdict import Verdict
from protocol.commands.resolve_recipients import Response

log = logging.getLogger("eas_server.audit")

FINGERPRINTS_AN_EVENT: Final = 100
"""More of them, as a large group has, are told in several events."""


def note(kind: AuditKind, ctx: Context, details: Mapping[str, Value]) -> None:
    """Note an event of this request, in the trail and in the log."""
    event = AuditEvent(
        when=ctx.now,
        kind=kind,
        user=ctx.account.user,
        device=ctx.device.id,
        request=ctx.request_id,
        details={"command": ctx.line.command, **details},
    )
    if ctx.ports.audit is not None:
        ctx.ports.audit.note(event)
    if ctx.settings.audit_log:
        log.info("audit", extra={"fields": log_fields(event)})


def domains_of(addresses: Iterable[str]) -> tuple[str, ...]:
    """The mail domains of addresses with how many there are of each, "example.com:2", the most frequent first."""
    counted = Counter(domain_of(address) for address in addresses)
    return tuple(f"{domain}:{count}" for domain, count in counted.most_common())


def domain_of(address: str) -> str:
    """The mail domain of an address in lower case, "" for a name without one."""
    _, at, domain = address.rpartition("@")
    return domain.lower().rstrip(".") if at else ""


def note_composed(addresses: Collection[str], ctx: Context) -> None:
    """Note mail that the server wrote for the user, such as an invitation: nobody could sign or encrypt it."""
    details: dict[str, Value] = {
        "class": Class.PLAIN.value,
        "recipients": len(addresses),
        "domains": domains_of(addresses),
        "composed": True,
    }
    note(AuditKind.SENT, ctx, details)


def note_served(response: Response, ctx: Context) -> None:
    """Note which certificates go out with a ResolveRecipients response, and whose they are."""
    for each in response.responses or ():
        for recipient in each.recipients or ():
            found = recipient.certificates
            if found is None:
                continue
            served = [*(found.certificates or ()), *([found.mini_certificate] if found.mini_certificate else [])]
            prints = [fingerprint_of(bytes(certificate)) for certificate in served]
            for at in range(0, len(prints), FINGERPRINTS_AN_EVENT):
                some = tuple(prints[at : at + FINGERPRINTS_AN_EVENT])
                note(AuditKind.SERVED, ctx, {"owner": recipient.email_address, "certificates": some})


def note_verdicts(verdicts: Mapping[bytes, Verdict], ctx: Context) -> None:
    """Note the certificates (by the octets in which they came) that were found not to be good, and why."""
    for octets, verdict in verdicts.items():
        if not verdict.good:
            note_invalid(octets, verdict, ctx)


def note_invalid(octets: bytes, verdict: Verdict, ctx: Context) -> None:
    """Note a certificate that is not good."""
    known = verdict.certificate
    parsed = known.certificate if known is not None else None
    worst = verdict.faults[0] if verdict.faults else None
    details: dict[str, Value] = {
        "certificate": parsed.sha256 if parsed is not None else fingerprint_of(octets),
        "subject": parsed.subject if parsed is not None else "",
        "status": int(verdict.status),
        "reason": str(verdict.reason),
    }
    if worst is not None:
        details |= {"depth": worst.depth, "detail": worst.detail}
    note(AuditKind.INVALID, ctx, details)
