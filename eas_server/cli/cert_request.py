"""`eas-server cert request`: a request for a certificate, for the company's own authority."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import load_der_x509_csr

from eas_server.cli.arguments import ADDRESS, TEXT, read_file
from eas_server.cli.issuing import entry_of
from eas_server.cli.opening import Failed, config_option, in_store, write_private
from eas_server.pki.csr import build_request
from eas_server.pki.keys import KeyKind, PrivateKey, PrivateKeyError, generate_key, key_from_pem, key_to_pem
from eas_server.pki.lab import Purpose

if TYPE_CHECKING:
    from eas_server.backends.sqlite import Store
    from eas_server.config import Config
    from eas_server.model.directory import DirectoryEntry


@click.command(
    epilog="""\b
Examples:
  eas-server cert request bob@example.com --key bob.key --out bob.csr
  eas-server cert request bob@example.com --key bob.key --purpose signing --kind p256
"""
)
@click.argument("address", type=ADDRESS)
@click.option(
    "--key",
    "key_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The private key (PEM); made, for its owner only, where there is none. At first the address with .key.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The request to write (PEM); at first .csr."
)
@click.option("--name", type=TEXT, help="The name in the certificate; at first the person's display name.")
@click.option(
    "--purpose",
    type=click.Choice([each.value for each in Purpose]),
    default=Purpose.BOTH.value,
    show_default=True,
    help="What the key may be used for.",
)
@click.option(
    "--kind",
    type=click.Choice([each.value for each in KeyKind]),
    default=KeyKind.RSA_2048.value,
    show_default=True,
    help="The kind of a key that is made.",
)
@config_option
def request(
    config_path: Path, address: str, key_file: Path | None, out: Path | None, name: str | None, purpose: str, kind: str
) -> None:
    """Write a request for a certificate (PKCS#10) for the person with ADDRESS, with all of the person's addresses.

    Send it to the authority; what comes back goes to `cert publish`, and with the key into a PKCS#12 file for the
    person's devices. The key stays in its file, which is nobody's but its owner's: the server keeps none.
    """
    target, key_target = out or Path(f"{address}.csr"), key_file or Path(f"{address}.key")

    async def work(config: "Config", store: "Store") -> "DirectoryEntry":
        del config
        return await entry_of(store, address)

    entry = in_store(config_path, work)
    if target.exists():
        raise Failed(f"{target} is there already: name another file with --out, or remove it first")
    made = not key_target.exists()
    key = generate_key(KeyKind(kind)) if made else _read_key(key_target)
    addresses = list(dict.fromkeys((entry.email, *sorted(entry.all_addresses))))
    try:
        der = build_request(name=name or entry.display_name, addresses=addresses, key=key, purpose=Purpose(purpose))
    except ValueError as error:
        raise Failed(f"no request can name {', '.join(addresses)}: {error}") from None
    if made:
        write_private(key_target, key_to_pem(key))
    target.write_bytes(load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM))
    click.echo(f"Wrote {target} for {', '.join(addresses)}" + (f", and its key: {key_target}" if made else ""))
    click.echo(f"When the certificate is here: eas-server cert publish {address} CERTIFICATE --key {key_target}")


def _read_key(path: Path) -> PrivateKey:
    try:
        return key_from_pem(read_file(path))
    except PrivateKeyError as error:
        raise Failed(f"{path}: {error}") from None
