"""What a sender's policy asks of a message in S/MIME, and what becomes of one that is not as asked.

Decided in docs/decisions/0031-smime-policy-and-audit.md. Pure, save `check_outgoing`, which looks into the message,
asks about revocation where that is wanted, and tells the audit trail and the sender.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from eas_server.commands.auditing import domain_of, domains_of, note, note_invalid
from eas_server.commands.certificate_evidence import EvidenceGatherer, judging
from eas_server.commands.context import Context
from eas_server.commands.policy import policy_of
from eas_server.commands.smime_notices import tell_sender
from eas_server.errors import CommandError, Unavailable
from eas_server.model.audit import AuditKind, Value
from eas_server.model.enforcement import EnforcementSettings, Measure, strictest
from eas_server.model.ids import UserId
from eas_server.model.settings import Settings
from eas_server.pki.certificate import CertificateError, parse_cached
from eas_server.pki.message_kind import PLAIN, MessageKind, Signed, kind_of, may_be_protected
from eas_server.pki.validation import Revocation, validate
from eas_server.submission.header import Header
from protocol.status import CommonStatus

log = logging.getLogger(__name__)

OFFLOAD_FROM: Final = 64 * 1024
"""Octets: larger messages are looked into beside the event loop."""

SIGNED: Final = "signed"
ENCRYPTED: Final = "encrypted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a policy asks for."""

    signed: bool = False
    encrypted: bool = False

    def __bool__(self) -> bool:
        return self.signed or self.encrypted


def demands_of(settings: Settings, user: UserId) -> Demands:
    """RequireSignedSMIMEMessages and RequireEncryptedSMIMEMessages of a user's policy (MS-ASPROV_R358, R335)."""
    asked = policy_of(settings, user).settings
    return Demands(
        signed=asked.get("RequireSignedSMIMEMessages") is True,
        encrypted=asked.get("RequireEncryptedSMIMEMessages") is True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is to be done about a message. `missing`: "signed", "encrypted"; `domains` are those it is missed for."""

    measure: Measure
    missing: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    reason: str = ""
    """Why a signature that is there does not count."""


def judge(
    kind: MessageKind,
    demands: Demands,
    domains: Iterable[str],
    settings: EnforcementSettings,
    *,
    signature_fault: str = "",
) -> Judgement:
    """The measure for a message to recipients in `domains`: the strictest of all that apply.

    `signature_fault`: why the signature that is there does not count.
    """
    missing = []
    if demands.signed and not _is_hidden(kind, settings) and (kind.signature is None or signature_fault):
        missing.append(SIGNED)
    if demands.encrypted and not kind.encrypted:
        missing.append(ENCRYPTED)
    measures = {domain: settings.measure_for(domain) for domain in domains} if missing else {}
    worst = strictest(measures.values())
    weak = kind.weaknesses if settings.weak is not Measure.IGNORE else ()
    return Judgement(
        measure=strictest((worst, settings.weak)) if weak else worst,
        missing=tuple(missing) if worst is not Measure.IGNORE else (),
        weak=weak,
        domains=tuple(domain for domain, measure in measures.items() if measure is worst),
        reason=signature_fault if SIGNED in missing else "",
    )


def _is_hidden(kind: MessageKind, settings: EnforcementSettings) -> bool:
    """Whether a signature is taken to be inside of an envelope."""
    return kind.encrypted and settings.encrypted_counts_as_signed


def foreign_signer(signature: Signed, addresses: Iterable[str]) -> bool:
    """Whether each signer's certificate is there and none of them names one of `addresses`."""
    own = frozenset(addresses)
    for each in signature.signatures:
        if each.certificate is None:
            return False
        try:
            if parse_cached(each.certificate).has_address(own):
                return False
        except CertificateError:
            continue
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message that may be sent, as the audit trail sees it; `sent` is to be called when it was."""

    judgement: Judgement
    details: dict[str, Value]
    header: Header
    digest: bytes

    async def sent(self, ctx: Context) -> None:
        """Note that it went out, and warn its sender where that is wanted."""
        note(AuditKind.SENT, ctx, self.details)
        if self.judgement.measure is Measure.WARN:
            await tell_sender(self.judgement, self.header, self.digest, ctx)


async def check_outgoing(
    octets: memoryview, header: Header, recipients: Iterable[str], digest: bytes, ctx: Context
) -> Outgoing:
    """Look into a message that is about to go to `recipients` (addresses, groups expanded).

    Raises CommandError, MAIL_SUBMISSION_FAILED, for one that may not go, when the trail and the sender were told.
    """
    addresses = tuple(recipients)
    settings, demands = ctx.settings.smime.enforcement, demands_of(ctx.settings, ctx.account.user)
    kind = await _kind(octets, header)
    domains = tuple(dict.fromkeys(map(domain_of, addresses)))
    matters = demands.signed and strictest(map(settings.measure_for, domains)) is not Measure.IGNORE
    fault = ""
    if matters and kind.signature is not None and not _is_hidden(kind, settings):
        fault = await _signature_fault(kind.signature, ctx)
    judgement = judge(kind, demands, domains, settings, signature_fault=fault)
    details: dict[str, Value] = {
        "class": kind.class_.value,
        "recipients": len(addresses),
        "domains": domains_of(addresses),
        "weak": kind.weaknesses,
        "missing": judgement.missing,
        "problem": kind.problem or judgement.reason,
        "measure": judgement.measure.value if judgement.missing or judgement.weak else "",
    }
    outgoing = Outgoing(judgement=judgement, details=details, header=header, digest=digest)
    if judgement.measure is Measure.REFUSE:
        note(AuditKind.REFUSED, ctx, details)
        await tell_sender(judgement, header, digest, ctx)
        what = ", ".join((*(f"not {each}" for each in judgement.missing), *judgement.weak))
        raise CommandError(CommonStatus.MAIL_SUBMISSION_FAILED, f"the policy does not let it pass: {what}")
    return outgoing


async def _kind(octets: memoryview, header: Header) -> MessageKind:
    if not may_be_protected(header.octets):
        return PLAIN
    if octets.nbytes < OFFLOAD_FROM:
        return kind_of(bytes(octets))
    return await judging(lambda: kind_of(bytes(octets)))


async def _signature_fault(signature: Signed, ctx: Context) -> str:
    """Why the signature of a message does not count as its sender's; "": it does."""
    own = {ctx.account.address, *ctx.account.addresses}
    if ctx.settings.smime.enforcement.signer_address and foreign_signer(signature, own):
        return "it is signed with the certificate of somebody else"
    if not ctx.settings.smime.check_crl_on_send:
        return ""
    try:
        return await _certificate_fault(signature, ctx)
    except Unavailable as error:
        log.warning("request %s: the trust store cannot be read: %s", ctx.request_id, error)
        return "the signer's certificate cannot be checked now"


async def _certificate_fault(signature: Signed, ctx: Context) -> str:
    """Why a signer's certificate is not good, with what is known of its revocation up to a deadline."""
    if ctx.ports.trust is None:
        return "no certificates are trusted here"
    trust = await ctx.ports.trust.collection(domain_of(ctx.account.address))
    deadline = ctx.settings.validation.deadline_seconds
    gatherer = EvidenceGatherer(ctx.ports.revocation, ctx.account.user, ctx.now, deadline)
    for each in signature.signatures:
        if each.certificate is None:
            return "the signer's certificate is not in the message"
        evidence = await gatherer.gather(each.certificate, signature.certificates, trust)
        verdict = await judging(
            validate,
            each.certificate,
            chain=signature.certificates,
            trust=trust,
            when=ctx.now,
            evidence=evidence,
            revocation=Revocation.REQUIRED,
        )
        if not verdict.good:
            note_invalid(each.certificate, verdict, ctx)
            return f"of the signer's certificate: {verdict.reason}"
    return ""
