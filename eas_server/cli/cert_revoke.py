"""`eas-server cert revoke`: the lab's authority takes a certificate back."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eas_server.cli.arguments import ADDRESS
from eas_server.cli.certificate_verdicts import Rules, judge, values_with
from eas_server.cli.issuing import entry_of
from eas_server.cli.lab_authority import CERTIFICATE
from eas_server.cli.opening import Failed, config_option, in_store, tell_embedded_only
from eas_server.pki.certificate import ParsedCertificate, parse

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

REASONS: Final = ("keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation")
ROOT: Final = "root"
"""What the lab calls the authority that `cert issue` issues from."""
SHOWN_DIGITS: Final = 16


@click.command(
    epilog="""\b
Examples:
  eas-server cert list bob@example.com
  eas-server cert revoke bob@example.com 1f0c9be27a61 --reason keyCompromise
"""
)
@click.argument("address", type=ADDRESS)
@click.argument("fingerprint")
@click.option("--reason", type=click.Choice(REASONS), help="Why; at first nothing is told.")
@config_option
def revoke(config_path: Path, address: str, fingerprint: str, reason: str | None) -> None:
    """Revoke the certificate of ADDRESS whose SHA-256 begins with FINGERPRINT, and take it out of the directory.

    It has to be one of the lab's authority (`cert issue`): the next CRL that the lab serves has it (docs/lab-pki.md).
    Of another authority, ask that authority, and take the certificate away with `cert unpublish`.
    """
    digits = fingerprint.strip().lower().replace(":", "")

    async def work(config: "Config", store: "Store") -> ParsedCertificate:
        from eas_server.lab import pki as lab
        from eas_server.pki.lab_crl import Withdrawn

        tell_embedded_only(config)
        now, folder = datetime.now(UTC), config.store.path.parent
        entry = await entry_of(store, address)
        certificates = [each.certificate for each in judge(entry, now, Rules())]
        found = [each for each in certificates if each is not None and each.sha256.startswith(digits)]
        if len(found) != 1:
            many = "more than one certificate" if found else "no certificate"
            raise Failed(f"{address} has {many} with that fingerprint: see `eas-server cert list {address}`")
        (certificate,) = found
        _check_issuer(certificate, folder / CERTIFICATE)
        lab.revoke(folder, ROOT, Withdrawn(serial=certificate.serial, when=now, reason=reason or ""))
        for values in values_with(entry, certificate.sha256).values():
            for value in dict.fromkeys(values):
                await store.admin.unpublish_certificate(address, value)
        return certificate

    revoked = in_store(config_path, work)
    click.echo(f"Revoked {revoked.sha256[:SHOWN_DIGITS]} of {address}, and took it out of the directory")


def _check_issuer(certificate: ParsedCertificate, authority: Path) -> None:
    """Raise Failed for a certificate that is none of the lab's authority."""
    ours = parse(authority.read_bytes()).subject if authority.exists() else None
    if certificate.issuer != ours:
        raise Failed(
            f"{certificate.issuer} issued it, and only its issuer can revoke it; "
            "`eas-server cert unpublish` takes it out of the directory"
        )
