"""The configuration: what is read, and that every error says what would be right."""

import typing
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eas_server.config import Config, load, parse
from eas_server.config_reading import Wrong, read
from eas_server.errors import ConfigError
from eas_server.model.ids import UserId

FILE = Path("/etc/eas/eas-server.toml")
DOCS = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"

WHOLE = """
[server]
external_url = "https://mail.example.com/"
domains = ["Example.com"]
require_tls = true
trusted_proxies = ["10.0.0.0/8", "192.0.2.1"]
default_policy = "guests"

[[listeners]]
address = "0.0.0.0"
port = 443
tls = true

[[listeners]]
address = "::1"
port = 8080

[tls]
certificate = "tls/cert.pem"
key = "/keys/key.pem"

[store]
path = "data/eas.db"

[directory]
kind = "ldap"

[authentication]
kind = "ldap"
realm = "Mail"
cache_seconds = 30
slow_down = { account_failures = 3, max_delay = 5 }

[ldap]
uris = ["ldaps://ldap.example.com"]
base_dn = "dc=example,dc=com"
ca_file = "ca.pem"

[limits.http]
max_request = 1000
[limits.connections]
keep_alive_seconds = 10
[limits.sync]
max_heartbeat = 1000
[limits.recipients]
max_recipients = 50

[limits.validation]
deadline_seconds = 2.5

[policies.guests]
[policies.staff]
strict = true
refresh_hours = 24
users = ["Alice@example.com", "bob@example.com"]
settings = { DevicePasswordEnabled = true, MinDevicePasswordLength = 6 }

[smtp]
host = "smtp.example.com"
security = "tls"

[lmtp]
socket = "run/lmtp"

[logging]
level = "debug"
format = "json"
file = "eas.log"
"""


def test_a_whole_file() -> None:
    config = parse(WHOLE, FILE)
    web = config.web
    assert [(each.address, each.port, each.tls) for each in config.listeners] == [
        ("0.0.0.0", 443, True),
        ("::1", 8080, False),
    ]
    assert config.tls is not None
    assert (config.tls.certificate, config.tls.key) == (Path("/etc/eas/tls/cert.pem"), Path("/keys/key.pem"))
    assert config.store.path == Path("/etc/eas/data/eas.db")
    assert config.ldap is not None
    assert config.ldap.ca_file == "/etc/eas/ca.pem"
    assert config.lmtp.socket == Path("/etc/eas/run/lmtp")
    assert config.logging.file == Path("/etc/eas/eas.log")
    assert web.require_tls
    assert web.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("192.0.2.1/32"))
    assert (web.auth.realm, web.auth.cache_seconds, web.auth.slow_down.account_failures) == ("Mail", 30, 3)
    assert (web.limits.max_request, web.limits.gzip_from) == (1000, 1024)
    settings = config.settings
    assert settings.external_url == "https://mail.example.com"
    assert settings.domains == ("example.com",)
    assert settings.sync.max_heartbeat == 1000
    assert settings.recipients.max_recipients == 50
    assert settings.validation.deadline_seconds == 2.5
    assert settings.default_policy == "guests"
    assert settings.policy_of_user == {UserId("alice@example.com"): "staff", UserId("bob@example.com"): "staff"}
    assert settings.policies["staff"].strict
    assert settings.policies["staff"].settings["MinDevicePasswordLength"] == 6


def test_an_empty_file_is_a_server_on_loopback() -> None:
    config = parse("", FILE)
    assert [(each.address, each.port) for each in config.listeners] == [("127.0.0.1", 8080)]
    assert config.store.path == Path("/etc/eas/eas-server.db")
    assert (config.directory.kind, config.authentication.kind, config.ldap) == ("embedded", "local", None)
    assert config.settings.policies["default"].strict is False
    assert config.web.auth.cache_seconds == 0


LISTENER = '[[listeners]]\naddress = "127.0.0.1"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server", "is not TOML"),
        ("[srver]", "srver: is unknown; did you mean server?"),
        ("[zzz]", "zzz: is unknown; known are server, listeners, tls"),
        ("server = 1", "server: must be a table"),
        ("[server]\nexternal_ur = 1", "server.external_ur: is unknown; did you mean external_url?"),
        ("[server]\nrequire_tls = 1", "server.require_tls: must be true or false, not 1"),
        ("[server]\ndomains = 'a.b'", 'server.domains: must be a list: ["…", "…"], not \'a.b\''),
        ("[server]\ndomains = ['a@b.c']", "must be a mail domain"),
        ("[server]\ntrusted_proxies = ['proxy']", '"proxy" must be an address or a network'),
        ("[server]\nexternal_url = 'mail.example.com'", "must be scheme and host alone"),
        ("[server]\nexternal_url = 'https://x/eas'", "must be scheme and host alone"),
        ("[server]\ndefault_policy = 'x'", "no section [policies.x] is there"),
        ("listeners = 1", "listeners: must be a list of tables: [[listeners]]"),
        ("listeners = []", "at least one [[listeners]]"),
        (LISTENER, "listeners[0].port: is missing; it must be a whole number"),
        (LISTENER + "port = 1\n" + LISTENER + "port = '2'", "listeners[1].port: must be a whole number, not '2'"),
        (LISTENER + "port = 70000", "listeners[0].port: must be between 0"),
        (LISTENER + "port = -1", "listeners[0].port: must not be negative"),
        (LISTENER + "port = 1\n" + LISTENER + "port = 1", "listeners[1].port: 1 on 127.0.0.1 is there twice"),
        (LISTENER + "port = 1\ntls = true", "listeners[0].tls: needs a section [tls]"),
        ("[[listeners]]\naddress = 'here'\nport = 1", '"here" must be an IP address'),
        ("[[listeners]]\naddress = '0.0.0.0'\nport = 1", "would send passwords in the clear: set tls = true"),
        ("[tls]\ncertificate = 'x'", "tls.key: is missing; it must be a path in quotes"),
        ("[tls]\ncertificate = 5\nkey = 'x'", "tls.certificate: must be a path in quotes, not 5"),
        ("[directory]\nkind = 'x'", 'directory.kind: must be one of "embedded", "ldap", not \'x\''),
        ("[directory]\nkind = 'ldap'", "directory.kind: \"ldap\" needs a section [ldap]"),
        ("[authentication]\nkind = 'ldap'", "authentication.kind: \"ldap\" needs a section [ldap]"),
        ("[authentication]\nrealm = 'a\"b'", "authentication.realm: must be plain ASCII"),
        ("[authentication]\nslow_down = {x = 1}", "authentication.slow_down.x: is unknown; known are"),
        ("[ldap]\nbase_dn = 'x'", "ldap.uris: is missing"),
        ("[ldap]\nbase_dn = 'x'\nuris = ['http://x']", "ldap.uris: 'http://x' is not of the form ldaps://host"),
        ("[ldap]\nbase_dn = 'x'\nuris = ['ldaps://x']\nattributes = {email = 'mail'}", "ldap.attributes.email"),
        ("[limits.http]\nmax_request = -5", "limits.http.max_request: must not be negative"),
        ("[limits.http]\nbody_grace = 'x'", "limits.http.body_grace: must be a number"),
        ("[limits.validation]\ndeadline_seconds = 0", "limits.validation.deadline_seconds: must be more than 0"),
        ("[limits.sync]\nmin_heartbeat = 5000", "limits.sync.min_heartbeat: must not be more than max_heartbeat"),
        ("[limits.sync]\ndefault_window_size = 600", "must be between 1 and max_window_size"),
        ("[policies.a]\nsettings = {DevicePasswordEnable = true}", "DevicePasswordEnable: is no setting"),
        ("[policies.a]\nsettings = {MaxInactivityTimeDeviceLock = 1.5}", "must be true or false or a whole number or"),
        ("[policies.a]\nusers = ['x']\n[policies.b]\nusers = ['X']", 'policies.b.users: "X" is in policies.a already'),
        ("[policies]\na = 1", "policies.a: must be a table"),
        ("[smtp]\nsecurity = 'ssl'", 'smtp.security: must be one of "none", "starttls", "tls"'),
        ("[smtp]\npassword_file = 'missing'", "smtp.password_file: cannot be read"),
        ("[smtp]\npassword_file = 'x'\npassword = 'y'", "stands instead of password"),
        ("[logging]\nlevel = 'loud'", "logging.level: must be one of"),
    ],
)  # fmt: skip
def test_errors_name_the_file_the_key_and_what_would_be_right(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text, FILE)
    assert str(error.value).startswith(f"{FILE}: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_plain_http_behind_a_declared_proxy() -> None:
    text = "[server]\ntrusted_proxies = ['10.0.0.1']\n[[listeners]]\naddress = '0.0.0.0'\nport = 80"
    assert parse(text, FILE).listeners[0].address == "0.0.0.0"


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "eas-server.toml"
    with pytest.raises(ConfigError, match="cannot be read"):
        load(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(path)
    (tmp_path / "secret").write_text("hunter2\n")
    path.write_text("[smtp]\nhost = 'x'\npassword_file = 'secret'")
    assert load(path).smtp.password == "hunter2"


values = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["address", "port", "kind", "http", "users", "path"]), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(found=st.dictionaries(st.sampled_from([each.name for each in fields(Config)]), values, max_size=4))
def test_whatever_stands_there_is_a_configuration_or_wrong(found: dict[str, object]) -> None:
    with suppress(Wrong):
        assert read(found, Config, Path("/etc"))


def keys(cls: type) -> Iterator[str]:
    """All keys below a section."""
    hints = typing.get_type_hints(cls)
    for each in fields(cls):
        yield each.name
        for inner in (hints[each.name], *typing.get_args(hints[each.name])):
            if isinstance(inner, type) and is_dataclass(inner):
                yield from keys(inner)


def test_every_key_is_described() -> None:
    text = DOCS.read_text(encoding="utf-8")
    missing = [key for key in [*keys(Config), "password_file"] if f"`{key}`" not in text and f"{key}]" not in text]
    assert not missing


def test_the_examples_of_the_description_are_right(tmp_path: Path) -> None:
    (tmp_path / "smtp-password").write_text("hunter2")
    blocks = DOCS.read_text(encoding="utf-8").split("```toml\n")[1:]
    assert blocks
    for block in blocks:
        parse(block.partition("```")[0], tmp_path / "eas-server.toml")
