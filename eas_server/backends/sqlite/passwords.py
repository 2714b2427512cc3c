"""Passwords: argon2 hashes, made and compared in threads of their own."""

import asyncio
import hashlib
import hmac
import secrets
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import bindparam, select

from eas_server import interfaces
from eas_server.backends.sqlite.people import People, Person
from eas_server.backends.sqlite.query import Sql
from eas_server.backends.sqlite.readers import Readers
from eas_server.backends.sqlite.registry import Registry
from eas_server.backends.sqlite.schema import accounts
from eas_server.interfaces import Clock
from eas_server.model.directory import Account
from eas_server.model.ids import UserId

T = TypeVar("T")

MAX_REMEMBERED = 20_000
"""How many right passwords are remembered at once."""

_HASH = Sql(select(accounts.c.password).where(accounts.c.user == bindparam("who")))


@dataclass(frozen=True, slots=True, kw_only=True)
class HashCost:
    """What an argon2id hash costs: RFC 9106's second recommendation, with less parallelism for a small machine."""

    passes: int = 3
    kibibytes: int = 64 * 1024
    lanes: int = 2


class Passwords:
    """Makes and verifies hashes. A hash takes some 50 ms and 64 MiB, so only as many at once as there are threads."""

    def __init__(self, cost: HashCost, threads: int) -> None:
        self._hasher = PasswordHasher(time_cost=cost.passes, memory_cost=cost.kibibytes, parallelism=cost.lanes)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="store-passwords")
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to store."""
        return await self._run(partial(self._hasher.hash, password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` is right. None (no such account) takes as long, and is never right."""
        if not stored:
            if self._nobody is None:
                self._nobody = await self.hash(secrets.token_hex())
            await self._run(partial(self._verify, self._nobody, password))
            return False
        return await self._run(partial(self._verify, stored, password))

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def close(self) -> None:
        """Wait for what is being verified."""
        await asyncio.to_thread(self._executor.shutdown)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


class SqliteAuthenticator:
    """See the port. A right password is remembered for `remembered`, as a keyed digest that only this process knows."""

    def __init__(
        self, registry: Registry, readers: Readers, passwords: Passwords, clock: Clock, remembered: timedelta
    ) -> None:
        self._registry = registry
        self._readers = readers
        self._passwords = passwords
        self._clock = clock
        self._remembered = remembered
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[UserId, tuple[bytes, datetime, int]] = OrderedDict()

    async def authenticate(self, name: str, password: str) -> Account | None:
        """See the port."""
        person = sign_in(await self._registry.people(), name)
        account = person.account if person is not None else None
        if person is None or account is None:
            await self._passwords.verify(None, password)
            return None
        digest = hmac.digest(self._key, f"{account.user}\0{password}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        if self._known(account.user, digest, person.changed):
            return account
        row = await self._readers.run(partial(_stored_hash, user=account.user))
        if not await self._passwords.verify(row, password):
            return None
        self._right[account.user] = (digest, self._clock.now() + self._remembered, person.changed)
        self._right.move_to_end(account.user)
        while len(self._right) > MAX_REMEMBERED:
            self._right.popitem(last=False)
        return account

    def _known(self, user: UserId, digest: bytes, changed: int) -> bool:
        known = self._right.get(user)
        if known is None:
            return False
        right, until, then = known
        # A change of the entry ends the memory: it may be the password that was changed.
        return self._clock.now() < until and then == changed and hmac.compare_digest(right, digest)


def _stored_hash(connection: sqlite3.Connection, *, user: UserId) -> str | None:
    row = _HASH.one(connection, who=user)
    return str(row[0]) if row else None


def sign_in(people: People, name: str) -> Person | None:
    """Whom a sign-in name means: `user`, `user@domain`, an alias, or `DOMAIN\\user`.

    Where several domains have that user, DOMAIN decides, as the mail domain or its first label.
    """
    name = name.strip().lower()
    domain, backslash, user = name.rpartition("\\")
    if not backslash or "@" in user:
        exact = people.by_user(UserId(user))
        if exact is not None:
            return exact
        return people.by_address(user)
    named = people.named(user)
    if len(named) > 1:
        named = [one for one in named if _in_domain(one, domain)]
    return named[0] if len(named) == 1 else None


def _in_domain(one: Person, domain: str) -> bool:
    mail_domain = one.entry.email.lower().partition("@")[2]
    return domain in (mail_domain, mail_domain.partition(".")[0])


_: type[interfaces.Authenticator] = SqliteAuthenticator
