"""`eas-server cert`: certificates of the embedded directory, and a small authority for labs and trials."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eas_server.cli.arguments import ADDRESS, DAYS_FROM_NOW, FILE, TEXT, read_password
from eas_server.cli.cert_disputes import disputes
from eas_server.cli.cert_doctor import doctor
from eas_server.cli.cert_request import request
from eas_server.cli.cert_revoke import revoke
from eas_server.cli.certificate_files import AskPassword, FromFile, has_pem_key, read_certificates, read_key
from eas_server.cli.certificate_verdicts import Judged, judge, reason_against, rules_of, usage, values_with
from eas_server.cli.issuing import belongs, entry_of, issued, lab_crl_url, publish_smime, smime_value
from eas_server.cli.lab_authority import LabAuthority, lab_authority
from eas_server.cli.opening import (
    Failed,
    config_option,
    failures,
    in_store,
    json_option,
    read_config,
    tell_embedded_only,
    write_private,
)
from eas_server.cli.printing import Json, count, day, exactly, print_json, print_table
from eas_server.cli.terminal import printable
from eas_server.model.directory import DirectoryEntry
from eas_server.pki.certificate import ParsedCertificate
from eas_server.pki.keys import KeyKind, PrivateKey, generate_key
from eas_server.pki.lab import KeyBundle, Purpose, to_pkcs12

if TYPE_CHECKING:
    from eas_server.backends.ldap.publisher import CertificateValues
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config

DAYS: Final = 730
MAX_DAYS: Final = 3650
SHOWN_DIGITS: Final = 16
"""Of a fingerprint: enough to tell certificates apart and to name one to `cert unpublish`."""
MIN_DIGITS: Final = 8
_PASSWORD_BYTES: Final = 12
_HEX: Final = re.compile(r"[0-9a-f]+")

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be changed, and change nothing.")
password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password of the PKCS#12 or key file from standard input."
)


@click.group(name="cert")
def cert_group() -> None:
    """Issue, import, publish, list and unpublish certificates.

    Phones get the certificates of people they write to by ResolveRecipients and by search. `cert list` shows which of
    a person's certificates is served, and why others are not. The server never keeps anybody's private key.
    """


@cert_group.command(
    epilog="""\b
Examples:
  eas-server cert issue bob@example.com --out bob.p12
  eas-server cert issue bob@example.com --out bob.p12 --legacy --days 365
  printf %s "$SECRET" | eas-server cert issue bob@example.com --out bob.p12 --password-stdin
"""
)
@click.argument("address", type=ADDRESS)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The PKCS#12 file to write, for its owner only; at first the address with .p12 behind it.",
)
@click.option("--name", type=TEXT, help="The name in the certificate; at first the person's display name.")
@click.option("--days", type=click.IntRange(1, MAX_DAYS), default=DAYS, show_default=True, help="How long it is valid.")
@click.option(
    "--purpose",
    type=click.Choice([each.value for each in Purpose]),
    default=Purpose.BOTH.value,
    show_default=True,
    help="What the key may be used for.",
)
@click.option(
    "--key",
    "kind",
    type=click.Choice([each.value for each in KeyKind]),
    default=KeyKind.RSA_2048.value,
    show_default=True,
    help="The kind of key; not every phone takes p256.",
)
@click.option("--legacy", is_flag=True, help="Protect the file with 3DES, which old phones need (iOS before 17).")
@click.option("--no-publish", is_flag=True, help="Do not put the certificate into the directory.")
@click.option("--password-stdin", is_flag=True, help="Read the file's password from standard input.")
@config_option
def issue(
    config_path: Path,
    address: str,
    out: Path | None,
    name: str | None,
    days: int,
    purpose: str,
    kind: str,
    legacy: bool,
    no_publish: bool,
    password_stdin: bool,
) -> None:
    """Issue a certificate for the person with ADDRESS, from the lab's authority kept beside the store.

    Writes a PKCS#12 file with the key, the certificate and the authority's, for the person's devices, and publishes
    the certificate. Without --password-stdin the file gets a random password, which is printed. The key is in that
    file only. The authority (keys/root.key and lab/root.cer beside the store) is made when it is first needed; its key
    lies there unprotected, so use it for labs and trials. `cert revoke` is told to others where `lab.url` is set.
    """
    now = datetime.now(UTC)
    target = out or Path(f"{address}.p12")
    if target.exists():
        raise Failed(f"{target} is there already: name another file with --out, or remove it first")
    given = read_password("", from_stdin=True) if password_stdin else None
    password = given or secrets.token_urlsafe(_PASSWORD_BYTES)

    async def work(config: "Config", store: "Store") -> tuple[LabAuthority, ParsedCertificate]:
        tell_embedded_only(config)
        entry = await entry_of(store, address)
        lab = lab_authority(config.store.path.parent, now)
        key = generate_key(KeyKind(kind))
        shown = name or entry.display_name
        certificate = issued(lab, entry, shown, key, Purpose(purpose), now, days, crl_url=lab_crl_url(config))
        bundle = KeyBundle(certificate=certificate.der, key=key, chain=(lab.authority.certificate,))
        pfx = to_pkcs12(bundle, password=password.encode(), name=name or entry.display_name, legacy=legacy)
        write_private(target, pfx)
        if not no_publish and certificate.may_encrypt():
            await store.admin.publish_certificate(address, certificate.der)
            if certificate.may_sign():
                chained = config.smime.published_chain
                await publish_smime(store, address, certificate, key, bundle.chain, now, published=chained)
        return lab, certificate

    lab, certificate = in_store(config_path, work)
    if lab.made:
        click.echo(f"Made a lab authority; devices need its certificate: {lab.file}")
    click.echo(
        f"Issued {_named(certificate)} for {', '.join(certificate.emails)}, valid until {day(certificate.not_after)}"
    )
    click.echo(f"Key and certificate: {target}" + ("" if given else f", password: {password}"))
    if no_publish or not certificate.may_encrypt():
        click.echo("Not published" + ("" if no_publish else ": nobody can encrypt with it"))


@cert_group.command(
    "import",
    epilog="""\b
Examples:
  eas-server cert import bob.pem carol.p7b
  eas-server cert import bob.p12
""",
)
@click.argument("files", type=FILE, nargs=-1, required=True, metavar="FILE...")
@password_option
@config_option
def import_(config_path: Path, files: tuple[Path, ...], password_stdin: bool) -> None:
    """Publish the certificates in each FILE for the people whose addresses they name.

    FILE is PEM, DER, PKCS#7 or PKCS#12. Private keys in it are not kept. Certificates of authorities are left out.
    Exit status 1 where nobody here has the addresses of a certificate; the others are published all the same.
    """
    ask = _asking(password_stdin)
    found = [(file, read_certificates(file, ask)) for file in files]

    async def work(config: "Config", store: "Store") -> bool:
        tell_embedded_only(config)
        published = [
            await _import(config, store, file, certificate) for file, held in found for certificate in held.people
        ]
        return all(published)

    whole = in_store(config_path, work)
    for file, held in found:
        if held.key is not None or has_pem_key(file):
            click.echo(f"{file}: the private key in it was not kept")
    if not whole:
        raise SystemExit(1)


@cert_group.command(
    epilog="""\b
Examples:
  eas-server cert publish bob@example.com bob.pem
  eas-server cert publish bob@example.com bob.p12
  eas-server cert publish bob@example.com bob.pem --key bob.key
  eas-server cert publish erin@example.com signing.p12 --encrypt-to encryption.pem
"""
)
@click.argument("address", type=ADDRESS)
@click.argument("file", type=FILE)
@click.option("--key", "key_file", type=FILE, help="The private key (PEM or PKCS#12), to make userSMIMECertificate.")
@click.option("--encrypt-to", type=FILE, help="Another certificate of the person, the one that others encrypt to.")
@dry_run_option
@password_option
@config_option
def publish(
    config_path: Path,
    address: str,
    file: Path,
    key_file: Path | None,
    encrypt_to: Path | None,
    dry_run: bool,
    password_stdin: bool,
) -> None:
    """Publish the certificate in FILE for ADDRESS, whichever addresses it names.

    Always as a value of userCertificate. With the private key, by --key or where FILE is a PKCS#12, also as
    userSMIMECertificate: signed by its owner, with the chain, and telling which certificate to encrypt to. The key is
    used once and not kept. Publishing again changes nothing.

    Where the directory is LDAP or Active Directory, it is written there, by the account of ldap.bind_dn, which needs
    the right to; --dry-run shows the change as LDIF.
    """
    ask = _asking(password_stdin)
    held = read_certificates(file, ask)
    other = read_certificates(encrypt_to, ask).certificate if encrypt_to else None
    key = read_key(key_file, ask) if key_file else held.key
    if key is not None and not belongs(key, held.certificate):
        raise Failed(f"{key_file or file}: the key is not that of the certificate in {file}")
    if other is not None and key is None:
        raise click.UsageError("--encrypt-to needs the key of FILE, which signs: add --key")

    certificate = other or held.certificate
    with failures():
        config = read_config(config_path)
        if config.directory.kind == "ldap":
            from eas_server.cli.cert_ldap import publish_in_ldap

            values = _values(config, held, key, other)
            publish_in_ldap(config, address, certificate.sha256, values, dry_run=dry_run)
            return
    if dry_run:
        also = "" if key is None or not held.certificate.may_sign() else " and in userSMIMECertificate"
        click.echo(f"Would publish {_named(certificate)} as userCertificate{also} of {address}")
        return

    async def work(config: "Config", store: "Store") -> None:
        entry = await entry_of(store, address)
        await store.admin.publish_certificate(address, certificate.der)
        click.echo(f"Published {_named(certificate)} as userCertificate of {address}")
        if key is not None:
            await _publish_with_key(config, store, address, held, key, other)
        _tell_unserved(config, entry, certificate)

    in_store(config_path, work)


@cert_group.command(
    "list",
    epilog="""\b
Examples:
  eas-server cert list
  eas-server cert list bob@example.com --json
  eas-server cert list --expiring 30d
""",
)
@click.argument("address", type=ADDRESS, required=False)
@click.option("--expiring", type=DAYS_FROM_NOW, help="Only those that are served now and end within so many days: 30d.")
@json_option
@config_option
def list_(config_path: Path, address: str | None, expiring: int | None, as_json: bool) -> None:
    """List the certificates of ADDRESS, or of all users: validity, usage, and what ResolveRecipients makes of them.

    A phone that asks for a person's certificates gets those with a rank, in that order; for a member of a group it
    gets the first one only. FINGERPRINT is the beginning of the SHA-256.
    """
    now = datetime.now(UTC)

    async def work(config: "Config", store: "Store") -> list[tuple[str, list[Judged]]]:
        tell_embedded_only(config)
        rules = rules_of(config.settings)
        wanted = [address] if address else [account.address for account in await store.admin.users()]
        return [(each, judge(await entry_of(store, each), now, rules)) for each in wanted]

    listed = in_store(config_path, work)
    if expiring is not None:
        until = now + timedelta(days=expiring)
        listed = [(owner, [each for each in judged if _ends_by(each, until)]) for owner, judged in listed]
    if as_json:
        print_json([_judged_json(owner, judged) for owner, certificates in listed for judged in certificates])
        return
    rows = [_row(owner, judged) for owner, certificates in listed for judged in certificates]
    print_table(("ADDRESS", "FINGERPRINT", "RANK", "VALID", "USAGE", "KEY", "ATTRIBUTE", "RESOLVERECIPIENTS"), rows)
    if not rows and expiring is not None:
        click.echo(f"No certificate that is served ends within {count(expiring, 'day', 'days')}", err=True)
    elif not rows:
        whom = address or "ADDRESS"
        click.echo(f"No certificates. `eas-server cert publish {whom} FILE` publishes one", err=True)


@cert_group.command(
    epilog="""\b
Examples:
  eas-server cert list bob@example.com
  eas-server cert unpublish bob@example.com 1f0c9be27a61
"""
)
@click.argument("address", type=ADDRESS)
@click.argument("fingerprint")
@dry_run_option
@config_option
def unpublish(config_path: Path, address: str, fingerprint: str, dry_run: bool) -> None:
    """Take the certificate whose SHA-256 begins with FINGERPRINT out of the directory, wherever ADDRESS has it."""
    digits = fingerprint.strip().lower().replace(":", "")
    if len(digits) < MIN_DIGITS or _HEX.fullmatch(digits) is None:
        raise click.UsageError(f"FINGERPRINT is at least {MIN_DIGITS} hexadecimal digits, as `cert list` shows them")
    with failures():
        config = read_config(config_path)
        if config.directory.kind == "ldap":
            from eas_server.cli.cert_ldap import unpublish_in_ldap

            unpublish_in_ldap(config, address, digits, dry_run=dry_run)
            return

    async def work(config: "Config", store: "Store") -> str:
        found = values_with(await entry_of(store, address), digits)
        if len(found) != 1:
            many = "more than one certificate" if found else "no certificate"
            raise Failed(f"{address} has {many} with that fingerprint: see `eas-server cert list {address}`")
        ((whole, values),) = found.items()
        for value in () if dry_run else dict.fromkeys(values):
            await store.admin.unpublish_certificate(address, value)
        return whole

    whole = in_store(config_path, work)
    click.echo(f"{'Would take' if dry_run else 'Took'} {whole[:SHOWN_DIGITS]} away from {address}")


async def _import(config: "Config", store: "Store", file: Path, certificate: ParsedCertificate) -> bool:
    placed = False
    for address in certificate.emails:
        entry = await store.admin.entry(address)
        if entry is None:
            continue
        await store.admin.publish_certificate(entry.email, certificate.der)
        click.echo(f"Published {_named(certificate)} as userCertificate of {entry.email}")
        _tell_unserved(config, entry, certificate)
        placed = True
    if not placed:
        names = printable(", ".join(certificate.emails)) or "no address"
        click.echo(
            f"{file}: {_named(certificate)} names {names}: nobody here. Add the user, or say whose it is: "
            "eas-server cert publish ADDRESS FILE",
            err=True,
        )
    return placed


async def _publish_with_key(
    config: "Config", store: "Store", address: str, held: FromFile, key: PrivateKey, other: ParsedCertificate | None
) -> None:
    if not held.certificate.may_sign():
        click.echo("note: the key may not sign, so there is no userSMIMECertificate", err=True)
        return
    now, chained = datetime.now(UTC), config.smime.published_chain
    await publish_smime(store, address, held.certificate, key, held.chain, now, other, published=chained)
    click.echo(f"Published it as userSMIMECertificate, signed by {_named(held.certificate)}")


def _values(
    config: "Config", held: FromFile, key: PrivateKey | None, other: ParsedCertificate | None
) -> "CertificateValues":
    """What goes into the two attributes of an entry in LDAP."""
    from eas_server.backends.ldap.publisher import CertificateValues

    smime: tuple[bytes, ...] = ()
    if key is not None and held.certificate.may_sign():
        now, chained = datetime.now(UTC), config.smime.published_chain
        smime = (smime_value(held.certificate, key, held.chain, now, other, published=chained),)
    certificate = other or held.certificate
    return CertificateValues(user_certificates=(certificate.der,), smime_certificates=smime)


def _asking(from_stdin: bool) -> AskPassword:
    @cache
    def once() -> bytes:
        return read_password("", from_stdin=True).encode()

    def ask(name: str) -> bytes:
        if from_stdin:
            return once()
        asked: str = click.prompt(f"Password of {name}", hide_input=True, default="", show_default=False)
        return asked.encode()

    return ask


def _tell_unserved(config: "Config", entry: DirectoryEntry, certificate: ParsedCertificate) -> None:
    reason = reason_against(certificate, entry, datetime.now(UTC), rules_of(config.settings))
    if reason is not None:
        click.echo(f"note: phones will not be given it for {entry.email}: {reason}", err=True)


def _named(certificate: ParsedCertificate) -> str:
    return certificate.sha256[:SHOWN_DIGITS]


def _ends_by(judged: Judged, until: datetime) -> bool:
    """Whether a certificate that is served ends by then: one that is not served is missed by nobody."""
    return judged.rank is not None and judged.certificate is not None and judged.certificate.not_after <= until


def _row(owner: str, judged: Judged) -> tuple[str, ...]:
    certificate = judged.certificate
    valid, uses, key = "", "", ""
    if certificate is not None:
        valid = f"{day(certificate.not_before)} to {day(certificate.not_after)}"
        uses, key = usage(certificate), f"{certificate.key_algorithm} {certificate.key_bits or ''}".strip()
    rank = "" if judged.rank is None else str(judged.rank)
    attributes = ", ".join(judged.sources)
    return owner, judged.fingerprint[:SHOWN_DIGITS], rank, valid, uses, key, attributes, judged.verdict


def _judged_json(owner: str, judged: Judged) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "address": owner,
        "sha256": judged.fingerprint,
        "rank": judged.rank,
        "verdict": judged.verdict,
        "attributes": list(judged.sources),
    }
    certificate = judged.certificate
    if certificate is not None:
        shown |= {
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "serial": f"{certificate.serial:x}",
            "emails": list(certificate.emails),
            "not_before": exactly(certificate.not_before),
            "not_after": exactly(certificate.not_after),
            "usage": usage(certificate),
            "key": certificate.key_algorithm.value,
            "key_bits": certificate.key_bits,
        }
    return shown


cert_group.add_command(request)
cert_group.add_command(doctor)
cert_group.add_command(revoke)
cert_group.add_command(disputes)

COMMAND = cert_group
