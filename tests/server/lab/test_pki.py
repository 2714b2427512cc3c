"""The lab PKI in files."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.lab.keys import load_keys, make_keys
from eas_server.lab.pki import (
    MADE_FILE,
    REVOKED_FILE,
    LabFilesError,
    files_of,
    open_lab,
    revoke,
    revoked_later,
    write_people,
)
from eas_server.pki.keys import key_to_pem
from eas_server.pki.lab import create_root, from_pkcs12
from eas_server.pki.lab_crl import Withdrawn

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URL = "http://127.0.0.1:8080/lab/pki"
ORIGIN = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder that was made once: keys take their time."""
    folder = tmp_path_factory.mktemp("lab")
    make_keys(folder, ORIGIN, NOW)
    return folder


@pytest.fixture
def folder(original, tmp_path):
    return shutil.copytree(original, tmp_path / "data")


def test_a_lab_that_is_there_is_opened_as_it_is(folder):
    first, later = open_lab(folder, URL, NOW), open_lab(folder, URL, NOW + timedelta(days=99))
    assert first.certificates == later.certificates
    assert later.made == NOW


def test_everybody_has_files(folder):
    lab = open_lab(folder, URL, NOW)
    password = (folder / "keys" / "pkcs12-password").read_bytes().strip()
    for name in lab.plan.people:
        where = files_of(folder, name)
        assert where.certificate.read_bytes() == lab.certificates[name]
        bundle = from_pkcs12(where.pkcs12.read_bytes(), password=password)
        assert (bundle.certificate, bundle.chain) == (lab.certificates[name], lab.chain(name))
        assert where.pkcs12.stat().st_mode & 0o777 == 0o600


def test_files_are_written_again_only_where_something_changed(folder):
    before = files_of(folder, "alice").pkcs12.read_bytes()
    write_people(folder, open_lab(folder, URL, NOW), "other")
    assert files_of(folder, "alice").pkcs12.read_bytes() == before
    write_people(folder, open_lab(folder, "http://127.0.0.1:9/lab/pki", NOW), "other")
    assert files_of(folder, "alice").pkcs12.read_bytes() != before


def test_a_folder_of_an_earlier_version_keeps_its_keys_and_gets_a_root_that_fits(folder):
    old = open_lab(folder, URL, NOW)
    for name in ("alice", "bob", "bob-expired"):
        (folder / "keys" / f"{name}.key").unlink()
    narrow = create_root(
        "EAS Lab CA", key=old.keys["root"], serial=5, not_before=NOW, not_after=NOW + timedelta(days=9)
    )
    (folder / "lab" / "root.cer").write_bytes(narrow.certificate)
    (folder / MADE_FILE).unlink()
    keys = load_keys(folder, ORIGIN, NOW)
    assert key_to_pem(keys.identities["bob"].key) == key_to_pem(old.keys["bob"])
    assert keys.root.certificate != narrow.certificate
    assert (folder / "lab" / "root.cer").read_bytes() == keys.root.certificate


def test_what_was_revoked_later_is_remembered(folder):
    of = revoked_later(folder)
    assert of("root") == ()
    one = Withdrawn(serial=0xABC, when=NOW, reason="superseded")
    two = Withdrawn(serial=1, when=NOW)
    for each in (one, two, one):
        revoke(folder, "root", each)
    assert of("root") == (one, two)
    assert of("rsa") == ()


@pytest.mark.parametrize(
    "line", ["root", "root xyz 2026-11-23T12:00:00+00:00 -", "root 1 yesterday -", "root 1 2026-11-23 because"]
)
def test_lines_that_say_nothing(folder, line):
    (folder / REVOKED_FILE).write_text(f"{line}\n")
    with pytest.raises(LabFilesError, match="is no revoked certificate"):
        revoked_later(folder)("root")


@pytest.mark.parametrize(
    ("file", "octets", "told"),
    [
        (MADE_FILE, b"yesterday", "no instant"),
        (MADE_FILE, b"2026-11-23T12:00:00", "no instant"),
        ("lab/root.cer", b"x", "no certificate of an authority"),
        ("keys/rsa.key", b"x", "rsa.key"),
    ],
)
def test_broken_files_are_named(folder, file, octets, told):
    (folder / file).write_bytes(octets)
    with pytest.raises(LabFilesError, match=told):
        open_lab(folder, URL, NOW)
