"""`eas-server smime`: what a signed or encrypted message is, and whether its signature is good."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eas_server.cli.arguments import DOMAIN, FILE, read_file
from eas_server.cli.opening import config_option, failures, in_store, json_option
from eas_server.cli.printing import Json, exactly, moment, print_json, print_properties
from eas_server.cli.terminal import printable
from eas_server.model.ids import UserId
from eas_server.model.trust import TrustCollection
from eas_server.pki.evidence import Evidence
from eas_server.pki.message_kind import MessageKind, Signed, kind_of
from eas_server.pki.message_report import MessageReport, SignerReport, report
from eas_server.pki.validation import Revocation, validate

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

MAX_MESSAGE: Final = 64 * 1024 * 1024
NOBODY: Final = UserId("administrator")
"""Whose budget the fetches of the command line count against."""
_NO_TRUST: Final = TrustCollection(name="")


@click.group(name="smime")
def smime_group() -> None:
    """Look into signed and encrypted messages."""


@smime_group.command(
    epilog="""\b
Examples:
  eas-server smime info message.eml
  eas-server smime info --json message.eml
"""
)
@click.argument("file", type=FILE)
@json_option
def info(file: Path, as_json: bool) -> None:
    """Tell what FILE is: signed, encrypted, by whom, for whom, with which algorithms.

    Nothing is judged by anybody's trust, and no configuration is needed: `smime verify` does that.
    """
    with failures():
        message = read_file(file, MAX_MESSAGE)
    kind = kind_of(message)
    _print(_reported(message, kind, {}, _NO_TRUST, datetime.now(UTC), Revocation.IF_KNOWN), as_json, judged=False)


@smime_group.command(
    epilog="""\b
Examples:
  eas-server smime verify message.eml
  eas-server smime verify --check-crl --domain example.com message.eml
  eas-server smime verify --at 2026-01-31 message.eml
"""
)
@click.argument("file", type=FILE)
@click.option("--domain", type=DOMAIN, help="Trust what this mail domain trusts; at first the default.")
@click.option("--check-crl", is_flag=True, help="Ask whether certificates were revoked; not to know is a fault.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), help="Judge as of this day (UTC) instead of now.")
@json_option
@config_option
def verify(
    config_path: Path, file: Path, domain: str | None, check_crl: bool, at: datetime | None, as_json: bool
) -> None:
    """Check the signature of FILE: the content, the signer's certificate up to a trusted root, the sender's address.

    Exit status 0 for a good signature; 1 for any other message.
    """
    with failures():
        message = read_file(file, MAX_MESSAGE)
    now = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
    kind = kind_of(message)

    async def work(config: "Config", store: "Store") -> MessageReport:
        from eas_server.backends.system_trust import SystemTrust

        settings = config.settings.smime
        trust = await SystemTrust(store.trust, lambda: settings).collection(domain or "")
        evidence = await _evidence(config, kind, trust, now) if check_crl else {}
        revocation = Revocation.REQUIRED if check_crl else Revocation.IF_KNOWN
        return _reported(message, kind, evidence, trust, now, revocation)

    found = in_store(config_path, work)
    _print(found, as_json, judged=True)
    sys.exit(0 if found.good else 1)


def _reported(
    message: bytes,
    kind: MessageKind,
    evidence: Mapping[bytes, Evidence],
    trust: TrustCollection,
    now: datetime,
    revocation: Revocation,
) -> MessageReport:
    return report(
        message,
        kind,
        lambda certificate, chain: validate(
            certificate,
            chain=chain,
            trust=trust,
            when=now,
            evidence=evidence.get(certificate, Evidence()),
            revocation=revocation,
        ),
    )


async def _evidence(
    config: "Config", kind: MessageKind, trust: TrustCollection, now: datetime
) -> dict[bytes, Evidence]:
    """What there is to know about the revocation of each signer, from the network or the server's cache."""
    from eas_server.backends.sqlite import SystemClock
    from eas_server.commands.certificate_evidence import EvidenceGatherer
    from eas_server.main import open_evidence

    found: dict[bytes, Evidence] = {}
    async with open_evidence(config, SystemClock()) as source:
        deadline = config.settings.validation.deadline_seconds
        gatherer = EvidenceGatherer(source, NOBODY, now, deadline)
        for layer in [layer for layer in kind.layers if isinstance(layer, Signed)]:
            for certificate in [each.certificate for each in layer.signatures if each.certificate is not None]:
                others = [der for der in layer.certificates if der != certificate]
                found[certificate] = await gatherer.gather(certificate, others, trust)
    return found


# ---- printing


def _print(found: MessageReport, as_json: bool, *, judged: bool) -> None:
    if as_json:
        print_json(_json(found, judged=judged))
        return
    print_properties([("message", found.kind.class_.value), ("problem", found.kind.problem)])
    for signer in found.signers:
        click.echo()
        print_properties(_signer(signer))
        for line in signer.verdict.explain() if judged and signer.verdict is not None else ():
            click.echo(f"  {printable(line)}")
    for envelope in found.envelopes:
        click.echo()
        print_properties([("encrypted with", envelope.cipher), ("weak", ", ".join(envelope.weaknesses))])
        for reader in envelope.readers:
            click.echo(f"  can be read with: {printable(reader)}")
        if len(envelope.readers) < envelope.recipients:
            click.echo(f"  and with {envelope.recipients - len(envelope.readers)} more")
    if judged:
        click.echo()
        click.echo("the signature is good" if found.good else f"not good: {'; '.join(_problems(found))}")


def _problems(found: MessageReport) -> list[str]:
    problems = [problem for signer in found.signers for problem in signer.problems]
    if found.kind.problem:
        problems.append(found.kind.problem)
    return [printable(each) for each in problems] or ["there is no signature that can be seen"]


def _signer(signer: SignerReport) -> list[tuple[str, str]]:
    certificate, signature = signer.certificate, signer.signature
    fits = {True: "fits", False: "does not fit", None: "cannot be checked"}[signature.fits]
    return [
        ("signer", "" if certificate is None else certificate.subject),
        ("addresses", "" if certificate is None else ", ".join(certificate.emails)),
        ("issuer", "" if certificate is None else certificate.issuer),
        ("signed at", "" if signature.signing_time is None else moment(signature.signing_time)),
        ("content", fits),
        ("digest", signature.digest),
        ("weak", ", ".join(signature.weaknesses)),
        ("problem", "" if certificate is None or signer.is_sender else "the certificate does not name the sender"),
    ]


def _json(found: MessageReport, *, judged: bool) -> dict[str, Json]:
    told: dict[str, Json] = {
        "class": found.kind.class_.value,
        "problem": found.kind.problem,
        "senders": list(found.senders),
        "weaknesses": list(found.kind.weaknesses),
        "signers": [_signer_json(signer, judged=judged) for signer in found.signers],
        "envelopes": [
            {"cipher": each.cipher, "recipients": each.recipients, "readers": list(each.readers)}
            for each in found.envelopes
        ],
    }
    return {**told, "good": found.good} if judged else told


def _signer_json(signer: SignerReport, *, judged: bool) -> dict[str, Json]:
    certificate, signature = signer.certificate, signer.signature
    told: dict[str, Json] = {
        "fits": signature.fits,
        "digest": signature.digest,
        "weaknesses": list(signature.weaknesses),
        "signing_time": None if signature.signing_time is None else exactly(signature.signing_time),
        "is_sender": signer.is_sender,
    }
    if certificate is not None:
        told |= {
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "sha256": certificate.sha256,
            "emails": list(certificate.emails),
        }
    if judged:
        verdict = signer.verdict
        told |= {
            "status": None if verdict is None else verdict.status.value,
            "explanation": [] if verdict is None else list(verdict.explain()),
            "problems": list(signer.problems),
        }
    return told


COMMAND = smime_group
