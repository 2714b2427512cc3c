"""ValidateCert, [MS-ASCMD] 2.2.1.22: whether certificates are good, as the server's administrator trusts.

What the protocol documents leave open is decided in docs/decisions/0026-validate-cert.md.
"""

import asyncio
import logging
from typing import Final

from eas_server.commands.auditing import note_verdicts
from eas_server.commands.certificate_evidence import EvidenceGatherer, judging
from eas_server.commands.context import Command, Context
from eas_server.errors import Unavailable
from eas_server.model.settings import CrlCheck
from eas_server.model.trust import TrustCollection
from eas_server.pki.certificate import CertificateError
from eas_server.pki.presented import Presented, read_presented
from eas_server.pki.validation import Revocation, refusal, validate
from eas_server.pki.verdict import Fault, Reason, Verdict
from protocol import wbxml
from protocol.commands.validate_cert import (
    MAX_CERTIFICATES,
    CertificateResult,
    Request,
    Response,
    Status,
    certificate_octets,
    standard_form,
)
from protocol.elements import Buffer, Inline, Opaque
from protocol.errors import MalformedRequest, MalformedWbxml
from protocol.http import CommandLine, CommandName
from protocol.schema import load
from protocol.versions import ProtocolVersion

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Certificates of one request that are judged at the same time."""

NO_TRUST: Final = TrustCollection(name="")


def read(body: Buffer, _: CommandLine, __: ProtocolVersion) -> Request:
    """Body -> request. Raises MalformedRequest."""
    if not body:
        raise MalformedWbxml("", "the body is empty")
    return load(Request, standard_form(wbxml.decode(body)))


async def handle(request: Request, ctx: Context) -> Response:
    """Judge every Certificate, each once, and answer in their order (MS-ASCMD_R2924)."""
    wanted, chain = request.certificates or (), request.certificate_chain or ()
    if not 1 <= len(wanted) <= MAX_CERTIFICATES or len(chain) > MAX_CERTIFICATES:
        return Response(status=Status.PROTOCOL_ERROR)  # MS-ASCMD_R5662, R1118
    try:
        trust = await ctx.ports.trust.collection(_domain(ctx.account.address)) if ctx.ports.trust else NO_TRUST
    except Unavailable as error:
        log.warning("request %s: the trust store cannot be read: %s", ctx.request_id, error)
        return Response(status=Status.SERVER_ERROR)  # MS-ASCMD_R5864
    judge = _Judge(ctx, trust, await judging(_chain, chain), _revocation(request, ctx))
    octets = [certificate_octets(content) for content in wanted]
    distinct = list(dict.fromkeys(octets))
    verdicts = dict(zip(distinct, await asyncio.gather(*map(judge.verdict, distinct)), strict=True))
    note_verdicts(verdicts, ctx)
    results = tuple(CertificateResult(status=verdicts[each].status) for each in octets)
    return Response(status=Status.SUCCESS, certificates=results)


class _Judge:
    """What the certificates of one request have in common."""

    def __init__(self, ctx: Context, trust: TrustCollection, chain: tuple[bytes, ...], revocation: Revocation) -> None:
        self._now = ctx.now
        self._request_id = ctx.request_id
        self._trust = trust
        self._chain = chain
        self._revocation = revocation
        deadline = ctx.settings.validation.deadline_seconds
        asks = ctx.settings.smime.check_crl_on_validate is not CrlCheck.NEVER
        source = ctx.ports.revocation if asks else None
        self._gatherer = EvidenceGatherer(source, ctx.account.user, ctx.now, deadline)
        self._places = asyncio.Semaphore(AT_ONCE)

    async def verdict(self, octets: bytes) -> Verdict:
        """The verdict about what stands in one Certificate."""
        async with self._places:
            verdict = await self._judged(octets)
        if not verdict.good:
            log.info("request %s: a certificate is not good: %s", self._request_id, " | ".join(verdict.explain()))
        return verdict

    async def _judged(self, octets: bytes) -> Verdict:
        try:
            presented = await judging(read_presented, octets)
        except CertificateError as error:
            return refusal(Fault(reason=Reason.UNREADABLE, detail=str(error)), self._now)
        chain = (*presented.chain, *self._chain)
        evidence = await self._gatherer.gather(presented.certificate, chain, self._trust)
        return await judging(
            validate,
            presented.certificate,
            chain=chain,
            trust=self._trust,
            when=self._now,
            evidence=evidence,
            revocation=self._revocation,
        )


def _revocation(request: Request, ctx: Context) -> Revocation:
    """What the client asks for (MS-ASCMD_R893, R895), unless the administrator says otherwise."""
    match ctx.settings.smime.check_crl_on_validate:
        case CrlCheck.AS_ASKED:
            return Revocation.REQUIRED if request.check_crl else Revocation.IF_KNOWN
        case CrlCheck.ALWAYS:
            return Revocation.REQUIRED
        case CrlCheck.NEVER:
            return Revocation.IF_KNOWN


def _chain(contents: tuple[Inline | Opaque | str, ...]) -> tuple[bytes, ...]:
    """What can be read of CertificateChain; what cannot may not have been needed."""
    found: list[bytes] = []
    for content in contents:
        try:
            presented: Presented = read_presented(certificate_octets(content))
        except CertificateError:
            continue
        found += [presented.certificate, *presented.chain]
    return tuple(dict.fromkeys(found))


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def refuse(_: MalformedRequest, __: ProtocolVersion) -> Response:
    """Parameters that are invalid: MS-ASCMD_R4476."""
    return Response(status=Status.PROTOCOL_ERROR)


def fail(status: int, _: ProtocolVersion) -> Response:
    """Only the Status."""
    return Response(status=status)


COMMAND = Command(name=CommandName.VALIDATE_CERT, read=read, handle=handle, refuse=refuse, fail=fail)
