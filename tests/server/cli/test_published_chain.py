"""`smime.published_chain`: what stands in userSMIMECertificate beside the person's certificate."""

from datetime import UTC, datetime, timedelta

import pytest

from eas_server.pki.keys import key_to_pem
from eas_server.pki.lab import to_pem
from eas_server.pki.signed_data import read_signed_data
from tests.server.cli.conftest import CONFIG
from tests.server.pki.making import authority, person

START = datetime.now(UTC) - timedelta(days=1)
VALID = {"not_before": START, "not_after": START + timedelta(days=365)}
ROOT = authority("Root", **VALID)
ISSUING = authority("Issuing", ROOT, **VALID)
BOB = person(ISSUING, **VALID)


@pytest.mark.parametrize(
    ("wanted", "chain"),
    [
        ("", {ISSUING.der, ROOT.der}),
        ("with-root", {ISSUING.der, ROOT.der}),
        ("without-root", {ISSUING.der}),
        ("none", set()),
    ],
)
def test_the_chain_that_is_published(shell, wanted, chain):
    if wanted:
        with (shell.folder / CONFIG).open("a") as file:
            file.write(f'[smime]\npublished_chain = "{wanted}"\n')
    (shell.folder / "bob.pem").write_bytes(b"".join(to_pem(each.der) for each in (BOB, ISSUING, ROOT)))
    (shell.folder / "bob.key").write_bytes(key_to_pem(BOB.key, None))
    shell("cert", "publish", "bob@example.com", "bob.pem", "--key", "bob.key")
    (value,) = shell.entry("bob@example.com").smime_certificates
    assert set(read_signed_data(value).certificates) == {BOB.der, *chain}


def test_the_chain_that_is_issued(with_authority):
    with (with_authority.folder / CONFIG).open("a") as file:
        file.write('[smime]\npublished_chain = "without-root"\n')
    with_authority("cert", "issue", "bob@example.com", "--key", "p256")
    (value,) = with_authority.entry("bob@example.com").smime_certificates
    assert len(read_signed_data(value).certificates) == 1
