"""`eas-server trust`: whose certificates are trusted (docs/trust.md)."""

import sys
import warnings
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click
from cryptography.utils import CryptographyDeprecationWarning

from eas_server.administration import trust
from eas_server.administration.trust import Imported, ImportedFile, Outcome, counted, named
from eas_server.cli.arguments import DOMAIN, read_file
from eas_server.cli.opening import Failed, config_option, in_store, json_option
from eas_server.cli.printing import Json, count, day, exactly, print_json, print_table
from eas_server.cli.terminal import printable
from eas_server.model.trust import Anchor, Trusted
from eas_server.pki.certificate import ParsedCertificate
from eas_server.pki.trust_files import MAX_TRUST_FILE

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

T = TypeVar("T")

MAX_FILES: Final = 2000
"""In the folders of one import."""
MAX_OCTETS: Final = 64 * 1024 * 1024
"""Of all files of one import."""
SHOWN_DIGITS: Final = 16
ALL_DOMAINS: Final = ""
STANDARD_OUTPUT: Final = Path("-")
_FORM_OF_SUFFIX: Final = {".sst": "sst", ".p7b": "p7b", ".p7c": "p7b"}

domain_option = click.option(
    "--domain",
    type=DOMAIN,
    callback=lambda _, __, domain: ALL_DOMAINS if domain is None else domain,
    help="The mail domain whose collection it is; at first, that of all domains.",
)


@click.group(name="trust")
def trust_group() -> None:
    """Import, list, export and remove the roots and intermediates that certificates of people must lead to.

    Phones ask the server whether a certificate is good (ValidateCert); it is if it leads to one of these roots. A mail
    domain may have a collection of its own, which then stands instead of that of all domains.
    """


@trust_group.command(
    "import",
    epilog="""\b
Examples:
  eas-server trust import smime.sst
  eas-server trust import corporate-root.cer issuing.p7b
  eas-server trust import /etc/company/cas --domain example.com
  eas-server trust import cross-signed.pem --as root
""",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, path_type=Path))
@domain_option
@click.option(
    "--as",
    "wanted",
    type=click.Choice([each.value for each in Anchor]),
    help="What all of them are; at first, authorities that signed themselves are roots, and others intermediates.",
)
@json_option
@config_option
def import_(config_path: Path, files: Sequence[Path], domain: str, wanted: str | None, as_json: bool) -> None:
    """Trust the authorities whose certificates are in FILE: PEM, DER, PKCS#7, a serialized store, a folder of those.

    A serialized store (.sst) is what `Export-Certificate -Type SST` writes on Windows. Says of each certificate
    whether it was added, was there already, or was refused, and why. A running server knows of it at once.
    """

    async def work(config: "Config", store: "Store") -> Sequence[ImportedFile]:
        del config
        if domain and not await trust.held(store.trust, domain):
            click.echo(f"note: what {domain} gets stands instead of {named(ALL_DOMAINS)}", err=True)
        read = [(str(path), read_file(path, MAX_TRUST_FILE)) for path in _files(files)]
        return await trust.take(
            store.trust, domain, read, datetime.now(UTC), None if wanted is None else Anchor(wanted)
        )

    imported = _in_store(config_path, work)
    if as_json:
        print_json([_file_json(each) for each in imported])
    else:
        for each in imported:
            _tell(each)
        _tell_certificates(imported)
        outcomes = counted(imported)
        parts = [f"{outcomes[outcome]} {outcome}" for outcome in Outcome if outcomes[outcome]]
        click.echo(f"{', '.join(parts) or 'Nothing added'}, in {named(domain)}")
    if not any(each.certificates for each in imported) or any(each.refused for each in imported):
        sys.exit(1)


@trust_group.command("list")
@click.option("--domain", type=DOMAIN, help="Only what counts for users of this mail domain.")
@json_option
@config_option
def list_(config_path: Path, domain: str | None, as_json: bool) -> None:
    """List the roots and intermediates of all collections."""

    async def work(config: "Config", store: "Store") -> Sequence[tuple[Trusted, ParsedCertificate]]:
        _tell_system(config)
        collection = None if domain is None else (await store.trust.collection(domain)).name
        return await trust.held(store.trust, collection)

    found = _in_store(config_path, work)
    if as_json:
        print_json([_held_json(*each) for each in found])
        return
    print_table(("COLLECTION", "AS", "FINGERPRINT", "VALID UNTIL", "SUBJECT"), [_held_row(*each) for each in found])
    if not found:
        click.echo("Nobody is trusted. `eas-server trust import FILE` brings roots and intermediates", err=True)


@trust_group.command(
    epilog="""\b
Examples:
  eas-server trust export smime.sst
  eas-server trust export roots.pem --as root --domain example.com
  eas-server trust export - --format p7b
"""
)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(list(trust.EXPORTS)),
    help="The form; at first what the name of FILE ends with, else pem.",
)
@click.option("--as", "wanted", type=click.Choice([each.value for each in Anchor]), help="Only these.")
@domain_option
@config_option
def export(config_path: Path, file: Path, form: str | None, wanted: str | None, domain: str) -> None:
    """Write a collection to FILE (- is standard output). An .sst can be given to Exchange, a .p7b to anybody."""

    async def work(config: "Config", store: "Store") -> Sequence[tuple[Trusted, ParsedCertificate]]:
        del config
        return await trust.held(store.trust, domain)

    found = [each for each, _ in _in_store(config_path, work) if wanted in (None, each.anchor)]
    if not found:
        raise Failed(f"{named(domain)} holds nothing to export")
    write = trust.EXPORTS[form or _FORM_OF_SUFFIX.get(file.suffix.lower(), "pem")]
    octets = write(each.certificate for each in found)
    if file == STANDARD_OUTPUT:
        click.echo(octets, nl=False)
        return
    try:
        with file.open("xb") as opened:
            opened.write(octets)
    except FileExistsError:
        raise Failed(f"{file} is there already: name another file, or remove it first") from None
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}") from None
    click.echo(f"Wrote {count(len(found), 'certificate', 'certificates')} of {named(domain)} to {file}")


@trust_group.command(
    epilog="""\b
Examples:
  eas-server trust remove 1f0c9be27a61
  eas-server trust remove --all --domain example.com
"""
)
@click.argument("fingerprint", required=False)
@click.option("--all", "everything", is_flag=True, help="The whole collection.")
@domain_option
@config_option
def remove(config_path: Path, fingerprint: str | None, everything: bool, domain: str) -> None:
    """Trust the certificate no more whose SHA-256 or SHA-1 (Windows: thumbprint) begins with FINGERPRINT."""
    if (fingerprint is None) != everything:
        raise click.UsageError("name a FINGERPRINT, or --all")

    async def work(config: "Config", store: "Store") -> tuple[str, bool]:
        del config
        if fingerprint is not None:
            removed = _short(await trust.remove(store.trust, domain, fingerprint))
        else:
            removed = count(await trust.remove_all(store.trust, domain), "certificate", "certificates")
        return removed, bool(await trust.held(store.trust, domain))

    removed, some_left = _in_store(config_path, work)
    click.echo(f"Removed {removed} from {named(domain)}")
    if domain and not some_left:
        click.echo(f"note: {domain} has no collection now: its users trust what all domains trust", err=True)


def _in_store(config_path: Path, work: "Callable[[Config, Store], Awaitable[T]]") -> T:
    # Old roots have the serial number 0, of which the library warns each time; `import` says it once.
    with warnings.catch_warnings(action="ignore", category=CryptographyDeprecationWarning):
        return in_store(config_path, work)


def _files(given: Sequence[Path]) -> Iterator[Path]:
    """Files as given, and those right in folders; links to a file that was met already are passed over."""
    met: set[Path] = set()
    octets = 0
    for path in given:
        for file in sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]:
            resolved = file.resolve()
            if resolved in met:
                continue
            met.add(resolved)
            octets += file.stat().st_size
            if len(met) > MAX_FILES or octets > MAX_OCTETS:
                raise Failed(f"more than {MAX_FILES} files or {MAX_OCTETS} octets: import them in parts")
            yield file


def _tell(imported: ImportedFile) -> None:
    if imported.has_key:
        click.echo(
            printable(f"{imported.name}: refused: {imported.refused}.")
            + " The server needs no private key of an authority: keep it away from here, and if this file was sent to"
            " you, tell its owner",
            err=True,
        )
    elif imported.refused:
        click.echo(printable(f"{imported.name}: refused: {imported.refused}"), err=True)
    elif imported.file is not None and (imported.file.notes or len(imported.certificates) > 1):
        notes = "".join(f"; {note}" for note in imported.file.notes)
        many = count(len(imported.certificates), "certificate", "certificates")
        click.echo(printable(f"{imported.name}: {imported.file.form}, {many}{notes}"))


def _tell_certificates(imported: Sequence[ImportedFile]) -> None:
    several = len(imported) > 1
    head = ("RESULT", "AS", "FINGERPRINT", "SUBJECT", *(("FILE",) if several else ()), "REMARK")
    rows = [_row(each, file.name if several else None) for file in imported for each in file.certificates]
    print_table(head, rows)


def _tell_system(config: "Config") -> None:
    from eas_server.backends.system_trust import read_bundle, system_bundle

    if not config.smime.system_trust:
        return
    path = system_bundle(config.smime)
    try:
        told = "no bundle is there" if path is None else f"{len(read_bundle(path).roots)} roots of {path}"
    except (OSError, ValueError) as error:
        told = f"{path} cannot be read: {error}"
    click.echo(printable(f"note: smime.system_trust is on, and the system's roots count, too: {told}"), err=True)


def _remark(each: Imported) -> str:
    return each.judged.reason if each.outcome is Outcome.REFUSED else "; ".join(each.judged.warnings)


def _row(each: Imported, file: str | None) -> tuple[str, ...]:
    certificate = each.judged.certificate
    digits, subject = ("", "") if certificate is None else (certificate.sha256[:SHOWN_DIGITS], certificate.subject)
    names = () if file is None else (file,)
    return each.outcome.value, each.anchor.value if each.anchor else "", digits, subject, *names, _remark(each)


def _short(each: Trusted) -> str:
    return each.fingerprint[:SHOWN_DIGITS]


def _held_row(each: Trusted, certificate: ParsedCertificate) -> tuple[str, ...]:
    return (
        each.collection or "all domains",
        each.anchor.value,
        _short(each),
        day(certificate.not_after),
        certificate.subject,
    )


def _held_json(each: Trusted, certificate: ParsedCertificate) -> dict[str, Json]:
    return {
        "collection": each.collection,
        "as": each.anchor.value,
        "added": exactly(each.added),
        **_certificate_json(certificate),
    }


def _file_json(imported: ImportedFile) -> dict[str, Json]:
    return {
        "file": imported.name,
        "form": imported.file.form.value if imported.file else None,
        "notes": list(imported.file.notes) if imported.file else [],
        "refused": imported.refused,
        "certificates": [
            {
                "outcome": each.outcome.value,
                "as": each.anchor.value if each.anchor else None,
                "reason": each.judged.reason,
                "warnings": list(each.judged.warnings),
                **(_certificate_json(each.judged.certificate) if each.judged.certificate else {}),
            }
            for each in imported.certificates
        ],
    }


def _certificate_json(certificate: ParsedCertificate) -> dict[str, Json]:
    return {
        "sha256": certificate.sha256,
        "sha1": certificate.sha1,
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": f"{certificate.serial:x}",
        "not_before": exactly(certificate.not_before),
        "not_after": exactly(certificate.not_after),
        "key": certificate.key_algorithm.value,
        "key_bits": certificate.key_bits,
    }


COMMAND = trust_group
