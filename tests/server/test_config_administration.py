"""The sections of the configuration for administrators, and files that it includes."""

from pathlib import Path

import pytest

from eas_server.config import load, parse
from eas_server.errors import ConfigError
from protocol.quirks import Switch

HERE = Path("/etc/eas-server/eas-server.toml")


def test_the_administration_is_on_loopback_at_first() -> None:
    section = parse("", HERE).administration
    assert (section.listener.address, section.listener.port, section.listener.tls) == ("127.0.0.1", 8081, False)
    assert section.tokens == HERE.parent / "administration.tokens"


def test_quirks_and_groups() -> None:
    config = parse(
        '[quirks.FIND_AT_14_1]\non = true\nclients = ["iP*"]\nversions = ["14.1"]\n'
        '[policies.a]\ngroups = ["Team@example.com"]\n[policies.b]\ngroups = ["all@example.com"]\n',
        HERE,
    )
    assert config.settings.quirks == {"FIND_AT_14_1": Switch(clients=("iP*",), versions=("14.1",))}
    assert list(config.settings.policy_of_group.items()) == [("team@example.com", "a"), ("all@example.com", "b")]


WRONG = {
    "an open address": ('[administration]\naddress = "0.0.0.0"', "administration.tls", "in the clear"),
    "no address": ('[administration]\naddress = "localhost"', "administration.address", "must be an IP address"),
    "a port": ("[administration]\nport = 70000", "administration.port", "between 0"),
    "a port that is taken": ("[administration]\nport = 8080", "administration.port", "one of [[listeners]]"),
    "TLS without a certificate": ("[administration]\ntls = true", "administration.tls", "needs a section [tls]"),
    "a token in the file": ('[administration]\ntoken = "x"', "administration.token", "did you mean tokens?"),
    "an unknown quirk": ("[quirks.FIND_AT_14]\non = false", "quirks.FIND_AT_14", "did you mean FIND_AT_14_1?"),
    "a quirk as a value": ("[quirks]\nFIND_AT_14_1 = false", "quirks.FIND_AT_14_1", "must be a table"),
    "a version": ('[quirks.FIND_AT_14_1]\nversions = ["14"]', "quirks.FIND_AT_14_1.versions", "12.1, 14.0"),
    "a pattern that is no list": ('[quirks.FIND_AT_14_1]\nclients = "x"', "quirks.FIND_AT_14_1.clients", "must be"),
    "a group twice": (
        '[policies.a]\ngroups = ["t@x.y"]\n[policies.b]\ngroups = ["T@x.y"]',
        "policies.b.groups",
        "in policies.a already",
    ),
    "an include": ("include = 5", "include", "must be a list of files"),
    "an include that is missing": ('include = ["gone.toml"]', "include", "cannot be read"),
}


@pytest.mark.parametrize(("text", "key", "reason"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(text: str, key: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, HERE)
    assert str(caught.value).startswith(f"{HERE}: {key}: ")
    assert reason in str(caught.value)


def test_sections_of_several_files(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "eas-server.toml").write_text(
        'include = ["more/world.toml", "more/other.toml"]\n[server]\ndomains = ["example.com"]\n[policies.a]\n'
        '[[listeners]]\naddress = "127.0.0.1"\nport = 1\n'
    )
    (tmp_path / "more" / "world.toml").write_text(
        '[server]\nexternal_url = "https://mail.example.com"\n[policies.b]\nstrict = true\n[[users]]\nuser = "x"\n'
        '[[listeners]]\naddress = "127.0.0.1"\nport = 2\n[store]\npath = "here.db"\n'
    )
    (tmp_path / "more" / "other.toml").write_text("[policies.c]\n[limits.http]\nmax_devices = 7\n")
    config = load(tmp_path / "eas-server.toml")
    assert (config.server.domains, config.server.external_url) == (("example.com",), "https://mail.example.com")
    assert list(config.policies) == ["a", "b", "c"]
    assert [each.port for each in config.listeners] == [1, 2]
    assert config.store.path == tmp_path / "more" / "here.db", "paths are relative to the file that names them"
    assert config.limits.http.max_devices == 7


TWICE = {
    "a key": ('[server]\ndomains = ["a.b"]', "server.domains: is in two files"),
    "a policy": ("[policies.a]\nstrict = true", "policies.a: is in two files"),
    "an unknown section": ("[servers]\n", "servers: is unknown"),
    "an include of its own": ('include = ["x.toml"]', "cannot include others"),
    "no TOML": ("[server", "is not TOML"),
}


@pytest.mark.parametrize(("text", "reason"), TWICE.values(), ids=TWICE)
def test_an_included_file_that_is_wrong_is_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "eas-server.toml").write_text(
        'include = ["world.toml"]\n[server]\ndomains = ["example.com"]\n[policies.a]\n'
    )
    (tmp_path / "world.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "eas-server.toml")
    assert str(tmp_path / "world.toml") in str(caught.value)
    assert reason in str(caught.value)


def test_the_sections_of_a_seed_are_none_of_the_configuration() -> None:
    assert parse('[[users]]\nuser = "x"\n[[messages]]\nnothing = 1\n', HERE) == parse("", HERE)
