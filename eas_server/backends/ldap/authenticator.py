"""Sign-in by LDAP bind."""

import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from eas_server.backends.ldap import filters
from eas_server.backends.ldap.connection import LdapConnection, Scope
from eas_server.backends.ldap.entries import RawEntry, smtp_address
from eas_server.backends.ldap.pool import LdapPool
from eas_server.backends.ldap.settings import LdapSettings
from eas_server.interfaces import Accounts, Authenticator
from eas_server.model.directory import Account

MAX_NAME: Final = 256
"""Longer names are refused unseen."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a typed name may stand for. `full`: with its domain, if it came with one."""

    full: str
    user: str


def parse_login(name: str, settings: LdapSettings) -> Login | None:
    """`user`, `user@domain` or `DOMAIN\\user`; None for what cannot be a user, or is of a domain that is not ours.

    Servers drop and replace characters before they compare (RFC 4518). A name is accepted in one spelling only, but for
    its case: else whoever guesses passwords could spell it anew for each guess, unseen by those who count.
    """
    if len(name) > MAX_NAME or not (_is_plain(name) and name.isprintable()):
        return None
    domain, backslash, user = name.partition("\\")
    if not backslash:
        user, _, domain = name.partition("@")
    allowed = {each.casefold() for each in settings.domains}
    if not user or (domain and allowed and domain.casefold() not in allowed):
        return None
    return Login(f"{user}@{domain}" if domain and "@" not in user else user, user)


def _is_plain(name: str) -> bool:
    return " ".join(name.split()) == name and unicodedata.is_normalized("NFKC", name)


class LdapAuthenticator:
    """An Authenticator that binds as the user.

    The mailbox follows from `account_attribute` of the user's entry, never from what was typed: one person's password
    cannot open the mailbox of another one. None is also the answer for a user without a local mailbox.
    Nothing is remembered between calls.
    """

    def __init__(self, pool: LdapPool, accounts: Accounts) -> None:
        self._pool = pool
        self._accounts = accounts
        self._settings = pool.settings
        self._layout = pool.settings.effective_layout()

    async def authenticate(self, name: str, password: str) -> Account | None:
        """See Authenticator. An empty password is refused without asking the directory."""
        if not password or "\0" in password:
            return None
        login = parse_login(name, self._settings)
        names = await self._sign_in(login, password.encode("utf-8", "replace").decode()) if login else None
        if names is None:
            return None
        for each in names:
            if (account := await self._accounts.by_address(each)) is not None:
                return account
        return None

    async def _sign_in(self, login: Login, password: str) -> tuple[str, ...] | None:
        """The names of the local mailbox, best first; None for a refusal."""
        if self._settings.sign_in == "search":
            return await self._search_then_bind(login, password)
        if self._settings.sign_in == "template":
            dn = self._settings.user_dn_template.replace("{user}", filters.escape_dn_value(login.user))
            return await self._pool.sign_in(dn, password, lambda connection: self._own_names(connection, dn))
        principal = login.full if "@" in login.full else f"{login.user}@{self._settings.upn_domain}"
        return await self._pool.sign_in(
            principal, password, lambda connection: self._found_names(connection, Login(principal, login.user))
        )

    async def _search_then_bind(self, login: Login, password: str) -> tuple[str, ...] | None:
        found = await self._pool.run(lambda connection: self._find(connection, login))
        if found is None:
            # Ask for a name that does not exist, to take as long as for a wrong password.
            nobody = f"cn={secrets.token_hex(8)},{self._settings.base_dn}"
            await self._pool.sign_in(nobody, password, lambda _connection: None)
            return None
        return await self._pool.sign_in(found.dn, password, lambda _connection: self._names(found))

    def _find(self, connection: LdapConnection, login: Login) -> RawEntry | None:
        """The entry that the name with its domain stands for, or else the name without it; None: none, or several."""
        attributes = self._layout.login_attributes
        wanted = filters.both(self._layout.person_filter, filters.equals(attributes, (login.full, login.user)))
        found = connection.search(wanted, (*attributes, self._settings.account_attribute)).entries
        for name in (login.full, login.user):
            # Compared again, since servers see names as equal that are not.
            exact = [raw for raw in found if name.casefold() in _names_of(raw, attributes)]
            if exact:
                return exact[0] if len(exact) == 1 else None
        return None

    def _names(self, raw: RawEntry) -> tuple[str, ...]:
        return raw.texts((self._settings.account_attribute,))

    def _own_names(self, connection: LdapConnection, dn: str) -> tuple[str, ...]:
        attributes = (self._settings.account_attribute,)
        found = connection.search(self._layout.person_filter, attributes, base=dn, scope=Scope.ENTRY)
        return tuple(name for raw in found.entries for name in self._names(raw))

    def _found_names(self, connection: LdapConnection, login: Login) -> tuple[str, ...]:
        found = self._find(connection, login)
        return self._names(found) if found is not None else ()


def _names_of(raw: RawEntry, attributes: Iterable[str]) -> set[str]:
    """What may be typed, in lower case; proxyAddresses write `smtp:` before it."""
    texts = raw.texts(attributes)
    return {(smtp_address(text) or text).casefold() for text in texts}


_: type[Authenticator] = LdapAuthenticator
