"""The keys of the configuration, and what follows from them."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from eas_server.backends.ldap import LdapAuthenticator, LdapPool, LdapSettings
from eas_server.backends.ldap.authenticator import parse_login
from eas_server.backends.ldap.settings import ACTIVE_DIRECTORY, INETORGPERSON, AttributeMap
from eas_server.errors import ConfigError
from eas_server.model.directory import Account
from eas_server.model.ids import UserId

DOCUMENT = Path(__file__).parents[3] / "docs" / "ldap.md"
MINIMAL: dict[str, Any] = {"uris": ("ldaps://ldap.example.com",), "base_dn": "dc=example,dc=com"}


def test_from_toml() -> None:
    settings = msgspec.toml.decode(
        b"""
        uris = ["ldaps://dc1.example.com", "ldaps://dc2.example.com:3269"]
        base_dn = "DC=example,DC=com"
        bind_dn = "eas@example.com"
        bind_password = "secret"
        layout = "active-directory"
        sign_in = "upn"
        upn_domain = "example.com"
        connect_timeout = 2
        anr_attributes = ["displayName"]
        attributes.alias = ["sAMAccountName"]
        """,
        type=LdapSettings,
    )
    layout = settings.effective_layout()
    assert layout.anr_attributes == ("displayName",)
    assert layout.attributes.alias == ("sAMAccountName",)
    assert layout.attributes.addresses == ACTIVE_DIRECTORY.attributes.addresses
    assert layout.group_filter == ACTIVE_DIRECTORY.group_filter
    assert "secret" not in repr(settings)


def test_the_default_layout() -> None:
    assert LdapSettings(**MINIMAL).effective_layout() == INETORGPERSON


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("uris", {"uris": ()}),
        ("uris", {"uris": ("ldap.example.com",)}),
        ("uris", {"uris": ("http://ldap.example.com",)}),
        ("uris", {"uris": ("ldaps://ldap.example.com/dc=x",)}),
        ("uris", {"uris": ("ldap://ldap.example.com",)}),
        ("uris", {"uris": ("ldap://192.0.2.1",)}),
        ("bind_password", {"bind_dn": "cn=eas"}),
        ("connect_timeout", {"connect_timeout": 0}),
        ("receive_timeout", {"receive_timeout": -1}),
        ("operation_timeout", {"operation_timeout": 0}),
        ("retry_after", {"retry_after": float("nan")}),
        ("pool_size", {"pool_size": 0}),
        ("page_size", {"page_size": 0}),
        ("max_matches", {"max_matches": 0}),
        ("max_members", {"max_members": 0}),
        ("attributes", {"attributes": {"nickname": ("x",)}}),
        ("user_dn_template", {"sign_in": "template", "user_dn_template": "uid=x"}),
        ("person_filter", {"person_filter": "objectClass=person"}),
        ("group_filter", {"group_filter": "((objectClass=group)"}),
    ],
)
def test_what_cannot_work_is_refused_by_its_key(key: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{key}: "):
        LdapSettings(**(MINIMAL | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"uris": ("ldap://127.0.0.1",)},
        {"uris": ("ldap://localhost:3890",)},
        {"uris": ("ldap://[::1]:389",)},
        {"uris": ("ldap://ldap.example.com",), "start_tls": True},
        {"uris": ("ldap://ldap.example.com",), "allow_cleartext": True},
    ],
)
def test_what_may_go_unencrypted(changes: dict[str, Any]) -> None:
    assert LdapSettings(**(MINIMAL | changes)).uris == changes["uris"]


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("ca_file", None),
        ("ca_file", b"not a certificate"),
        ("bind_password_file", None),
        ("bind_password_file", b"\n"),
        ("bind_password_file", b"\xff"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_at_the_start(tmp_path: Path, key: str, content: bytes | None) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    keys = MINIMAL | {key: str(file)} | ({"bind_dn": "cn=eas"} if key == "bind_password_file" else {})
    with pytest.raises(ConfigError, match=rf"ldap\.{key}: "):
        LdapPool(LdapSettings(**keys))


def test_every_key_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    names = [each.name for kind in (LdapSettings, AttributeMap) for each in fields(kind)]
    assert [name for name in names if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("name", "full", "user"),
    [
        ("alice", "alice", "alice"),
        ("alice@example.com", "alice@example.com", "alice"),
        ("EXAMPLE\\alice", "alice@EXAMPLE", "alice"),
        ("EXAMPLE\\alice@example.org", "alice@example.org", "alice@example.org"),
        ("John Smith", "John Smith", "John Smith"),
        ("jürgen", "jürgen", "jürgen"),
    ],
)
def test_login_names(name: str, full: str, user: str) -> None:
    login = parse_login(name, LdapSettings(**MINIMAL))
    assert login is not None
    assert (login.full, login.user) == (full, user)


class Recorder:
    """Stands for the pool: remembers who was to be signed in."""

    def __init__(self, settings: LdapSettings) -> None:
        self.settings = settings
        self.seen: list[tuple[str, str]] = []

    async def sign_in(self, dn: str, password: str, then: Callable[[Any], Any]) -> tuple[str, ...]:
        self.seen.append((dn, password))
        return ("nobody@example.com", "alice@example.com")


class Mailboxes:
    """One account: alice's."""

    async def account(self, user: UserId) -> Account | None:
        raise NotImplementedError

    async def by_address(self, address: str) -> Account | None:
        if address != "alice@example.com":
            return None
        return Account(user=UserId("alice"), address=address, addresses=frozenset({address}))

    async def group(self, address: str) -> Sequence[str] | None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("name", "principal"),
    [
        ("alice", "alice@corp.example.com"),
        ("alice@example.com", "alice@example.com"),
        ("CORP\\alice", "alice@CORP"),
    ],
)
async def test_user_principal_names(name: str, principal: str) -> None:
    settings = LdapSettings(**MINIMAL, sign_in="upn", upn_domain="corp.example.com")
    recorder = Recorder(settings)
    authenticator = LdapAuthenticator(cast("LdapPool", recorder), Mailboxes())
    account = await authenticator.authenticate(name, "secret")
    assert account is not None
    assert account.user == "alice"
    assert recorder.seen == [(principal, "secret")]
