"""Certificates of a seed: from files, or issued by the lab's authority."""

import secrets
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from eas_server.administration import texts
from eas_server.cli.certificate_files import FromFile, read_certificates, read_key
from eas_server.cli.certificate_verdicts import values_with
from eas_server.cli.issuing import belongs, entry_of, issued, publish_smime
from eas_server.cli.lab_authority import lab_authority
from eas_server.cli.opening import Failed, write_private
from eas_server.cli.seed_file import SeedCertificate
from eas_server.cli.seed_plan import Action, Ground, taken
from eas_server.config_reading import Wrong
from eas_server.model.directory import DirectoryEntry
from eas_server.pki.certificate import ParsedCertificate
from eas_server.pki.keys import KeyKind, PrivateKey, generate_key
from eas_server.pki.lab import KeyBundle, Purpose, to_pkcs12

_PASSWORD_BYTES: Final = 12
_MAX_DAYS: Final = 3650


async def plan_certificates(ground: Ground) -> list[Action]:
    """What is to be done for certificates. Raises Wrong."""
    actions: list[Action] = []
    for number, declared in enumerate(ground.seed.certificates):
        key = f"certificates[{number}]"
        address = taken(f"{key}.address", texts.address, declared.address)
        entry = await ground.world.people.entry(address)
        if entry is None and address.lower() not in _addresses(ground):
            raise Wrong(f"{key}.address", f"nobody has the address {address}, here or in [[users]] or [[people]]")
        if declared.issue == (declared.file is not None):
            raise Wrong(key, "needs either file, or issue = true")
        if declared.file is not None:
            actions += _plan_file(ground, declared, declared.file, address, entry, key)
        else:
            actions += _plan_issue(ground, declared, address, entry, key)
    return actions


def _addresses(ground: Ground) -> set[str]:
    """All addresses of those whom the seed adds."""
    found: set[str] = set()
    for user in ground.seed.users:
        name = user.user.strip().lower()
        primary = user.email or (name if "@" in name or not ground.domains else f"{name}@{ground.domains[0]}")
        found |= {address.lower() for address in (primary, *(user.addresses or ()))}
    for person in ground.seed.people:
        found |= {address.lower() for address in (person.email, *(person.addresses or ()))}
    return found


def _plan_file(
    ground: Ground, declared: SeedCertificate, file: Path, address: str, entry: DirectoryEntry | None, key: str
) -> list[Action]:
    try:
        held = read_certificates(file, lambda _: declared.password.encode())
        private = read_key(declared.key, lambda _: declared.password.encode()) if declared.key else held.key
    except (Failed, OSError) as error:
        raise Wrong(f"{key}.file", str(error)) from None
    if private is not None and not belongs(private, held.certificate):
        raise Wrong(f"{key}.key", f"is not the key of the certificate in {file}")
    if _is_published(entry, held.certificate, with_key=private is not None):
        return []
    publish = partial(_publish, ground, address, held, private)
    return [Action(says=f"publish {file.name} for {address}", do=publish)]


def _is_published(entry: DirectoryEntry | None, certificate: ParsedCertificate, *, with_key: bool) -> bool:
    if entry is None or certificate.der not in entry.user_certificates:
        return False
    if not (with_key and certificate.may_sign()):
        return True
    values = values_with(entry, certificate.sha256).get(certificate.sha256, [])
    return any(value in entry.smime_certificates for value in values)


async def _publish(ground: Ground, address: str, held: FromFile, private: PrivateKey | None) -> None:
    await ground.store.admin.publish_certificate(address, held.certificate.der)
    if private is not None and held.certificate.may_sign():
        now, chained = datetime.now(UTC), ground.published_chain
        await publish_smime(ground.store, address, held.certificate, private, held.chain, now, published=chained)


def _plan_issue(
    ground: Ground, declared: SeedCertificate, address: str, entry: DirectoryEntry | None, key: str
) -> list[Action]:
    if declared.out is None:
        raise Wrong(f"{key}.out", f'is missing: the file for the key and the certificate, such as "{address}.p12"')
    if not 1 <= declared.days <= _MAX_DAYS:
        raise Wrong(f"{key}.days", f"must be between 1 and {_MAX_DAYS}")
    if declared.out.exists():
        # the key that was made before: what is in the directory is brought in line with it
        return _plan_file(ground, declared, declared.out, address, entry, key)
    if not declared.out.parent.is_dir():
        raise Wrong(f"{key}.out", f"there is no folder {declared.out.parent}")
    return [
        Action(says=f"issue a certificate for {address}", do=partial(_issue, ground, declared, declared.out, address))
    ]


async def _issue(ground: Ground, declared: SeedCertificate, out: Path, address: str) -> None:
    now = datetime.now(UTC)
    entry = await entry_of(ground.store, address)
    lab = lab_authority(ground.store.path.parent, now)
    key = generate_key(KeyKind.RSA_2048)
    certificate = issued(lab, entry, entry.display_name, key, Purpose(declared.purpose), now, declared.days)
    chain = (lab.authority.certificate,)
    bundle = KeyBundle(certificate=certificate.der, key=key, chain=chain)
    password = declared.password or secrets.token_urlsafe(_PASSWORD_BYTES)
    pfx = to_pkcs12(bundle, password=password.encode(), name=entry.display_name, legacy=declared.legacy)
    write_private(out, pfx)
    if certificate.may_encrypt():
        held = FromFile(certificate=certificate, chain=chain, key=key)
        await _publish(ground, address, held, key)
