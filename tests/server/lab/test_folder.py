"""The folder of a demonstration: made whole, kept, and written anew only where it says so."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from eas_server.config import load
from eas_server.lab import folder as folder_module
from eas_server.lab.folder import CONFIG, STORE, UNFINISHED, FolderError, Place, address_of, prepare

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PLAIN = Place(host="127.0.0.1", port=8080, tls=False)
TLS = Place(host="127.0.0.1", port=8443, tls=True)


def seed(path, keys, password, now):
    """Stands for the store."""
    path.write_text(f"a store for {password}")


def broken_seed(path, keys, password, now):
    """A store that cannot be made."""
    path.write_text("half")
    raise OSError("the disk is full")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder that was made once: keys take their time."""
    place = tmp_path_factory.mktemp("demo") / "data"
    return prepare(place, PLAIN, "secret", seed, NOW)


def test_the_first_start_makes_everything(made):
    assert made.new
    assert made.password == "secret"
    assert (made.folder / STORE).read_text() == "a store for secret"
    assert made.folder.stat().st_mode & 0o777 == 0o700
    assert not made.folder.with_name(made.folder.name + UNFINISHED).exists()


def test_the_configuration_is_read_by_the_server(made):
    config = load(made.config)
    assert config.store.path == made.folder / STORE
    assert [(each.address, each.port, each.tls) for each in config.listeners] == [("127.0.0.1", 8080, False)]
    assert config.server.domains == ("example.com",)


def test_a_further_start_keeps_everything(made):
    again = prepare(made.folder, PLAIN, None, broken_seed, NOW)
    assert not again.new
    assert again.password == "secret"
    assert again.keys.root.certificate == made.keys.root.certificate


def test_the_administrators_lines_stay(made):
    with made.config.open("a") as file:
        file.write("[policies.default]\nstrict = true\n")
    prepare(made.folder, Place(host="::1", port=9090, tls=False), None, broken_seed, NOW)
    config = load(made.config)
    assert config.policies["default"].strict
    assert config.listeners[0].port == 9090
    assert made.config.read_text().count("[[listeners]]") == 1


def test_tls_has_a_certificate_of_the_lab_for_all_names(made):
    prepare(made.folder, TLS, None, broken_seed, NOW)
    config = load(made.config)
    assert config.tls is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(config.tls.certificate, config.tls.key)
    pem = config.tls.certificate.read_bytes()
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"127.0.0.1", "localhost"} <= {str(name.value) for name in names}
    prepare(made.folder, TLS, None, broken_seed, NOW + timedelta(days=100))
    assert config.tls.certificate.read_bytes() == pem
    prepare(made.folder, TLS, None, broken_seed, NOW + timedelta(days=380))
    assert config.tls.certificate.read_bytes() != pem


def test_a_start_that_was_broken_off_leaves_nothing_in_the_way(tmp_path, monkeypatch, made):
    monkeypatch.setattr(folder_module, "make_keys", lambda folder, origin, now: (folder / "keys").mkdir() or made.keys)
    with pytest.raises(OSError, match="disk is full"):
        prepare(tmp_path / "data", PLAIN, "secret", broken_seed, NOW)
    assert not (tmp_path / "data").exists()
    with pytest.raises(OSError, match="disk is full"):
        prepare(tmp_path / "data", PLAIN, "secret", broken_seed, NOW)


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FolderError, match=CONFIG):
        prepare(tmp_path, PLAIN, None, seed, NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("::", "::"), ("localhost", None)]
)
def test_hosts_become_addresses(host, address):
    assert address_of(host) == address if address else address_of(host) in ("127.0.0.1", "::1")


def test_a_host_that_is_none():
    with pytest.raises(FolderError, match="HOST"):
        address_of("no such host")


def test_the_walk_through_takes_the_loopback_of_a_place_that_listens_everywhere():
    assert Place(host="0.0.0.0", port=1, tls=True).loopback == "127.0.0.1"
    assert Place(host="::", port=1, tls=True).loopback == "::1"
    assert Place(host="192.0.2.7", port=1, tls=True).url == "https://192.0.2.7:1"
    assert Place(host="::1", port=1, tls=False).url == "http://[::1]:1"
