"""Who signs in: Basic credentials, verified passwords remembered for a moment, wrong ones slowed down."""

import asyncio
import contextlib
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eas_server.interfaces import Authenticator
from eas_server.model.directory import Account
from eas_server.web.settings import AuthSettings, Live, SlowDown
from protocol.errors import MalformedRequest
from protocol.headers import Credentials, parse_basic

MAX_REMEMBERED: Final = 50_000
"""Verified passwords held at once; the one least lately used goes first."""
MAX_COUNTED: Final = 100_000
"""Names and addresses whose failures are counted at once."""
_MAX_DOUBLINGS: Final = 30


class VerifiedPasswords:
    """Passwords that were found right a moment ago, kept as digests (BLAKE2b) under a key of this process."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._key = secrets.token_bytes(32)
        self._found: OrderedDict[bytes, tuple[Account, float]] = OrderedDict()

    def digest(self, header: str) -> bytes:
        """Names an Authorization header."""
        return hashlib.blake2b(header.encode("latin-1", "replace"), key=self._key, digest_size=32).digest()

    def get(self, digest: bytes) -> Account | None:
        """The account that these credentials opened, if that is not too long ago."""
        found = self._found.get(digest)
        if found is None:
            return None
        account, until = found
        if self._monotonic() >= until:
            del self._found[digest]
            return None
        self._found.move_to_end(digest)
        return account

    def put(self, digest: bytes, account: Account, seconds: float) -> None:
        """Remember credentials."""
        self._found[digest] = (account, self._monotonic() + seconds)
        self._found.move_to_end(digest)
        if len(self._found) > MAX_REMEMBERED:
            self._found.popitem(last=False)

    def forget(self) -> None:
        """Forget all of them: the accounts may have changed."""
        self._found.clear()


@dataclass(slots=True)
class _Count:
    failures: int
    since: float


class Failures:
    """Counts wrong passwords by account name and by address, each within a window of time."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def add(self, name: str, address: str, settings: SlowDown) -> float:
        """Count one more; gives the seconds that its answer is held back."""
        by_name = self._count(("account", _short(name)), settings)
        by_address = self._count(("address", address), settings)
        return max(
            delay(by_name - settings.account_failures, settings),
            delay(by_address - settings.address_failures, settings),
        )

    def forgive(self, name: str, address: str) -> None:
        """Somebody signed in by this name from this address: who does it again is no suspect, whatever others try."""
        key = (_short(name), address)
        self._trusted[key] = None
        self._trusted.move_to_end(key)
        if len(self._trusted) > MAX_COUNTED:
            self._trusted.popitem(last=False)

    def suspects(self, name: str, address: str, settings: SlowDown) -> bool:
        """Whether so many guesses were made by this name or from this address that this one may be another."""
        if (_short(name), address) in self._trusted:
            return False
        return (
            self._present(("account", _short(name)), settings) > settings.account_failures
            or self._present(("address", address), settings) > settings.address_failures
        )

    def _present(self, key: tuple[str, str], settings: SlowDown) -> int:
        count = self._counts.get(key)
        return count.failures if count and self._monotonic() - count.since < settings.window_seconds else 0

    def _count(self, key: tuple[str, str], settings: SlowDown) -> int:
        now = self._monotonic()
        count = self._counts.get(key)
        if count is None or now - count.since >= settings.window_seconds:
            count = self._counts[key] = _Count(0, now)
        count.failures += 1
        self._counts.move_to_end(key)
        if len(self._counts) > MAX_COUNTED:
            self._counts.popitem(last=False)
        return count.failures


def _short(name: str) -> str:
    """A name of any length as a short key."""
    return hashlib.sha256(name.lower().encode("utf-8", "surrogatepass")).hexdigest()


def delay(too_many: int, settings: SlowDown) -> float:
    """The seconds to hold back the answer to the failure that is `too_many` above the threshold."""
    if too_many <= 0:
        return 0.0
    return min(settings.max_delay, settings.first_delay * 2.0 ** min(too_many - 1, _MAX_DOUBLINGS))


class SignIn:
    """Tells who sends a request.

    A right password is never held back: only the answer to a wrong one waits, and a stop of the server ends the wait.
    Verifying costs time on purpose, so that many guesses would hold up everybody: guesses that are suspected to be
    such go one at a time, and the rest of the verifier is left to the others.
    """

    def __init__(
        self, authenticator: Authenticator, live: Live, stopping: asyncio.Event, monotonic: Callable[[], float]
    ) -> None:
        self._authenticator = authenticator
        self._live = live
        self._stopping = stopping
        self._verified = VerifiedPasswords(monotonic)
        self._failures = Failures(monotonic)
        self._asking: dict[bytes, asyncio.Future[Account | None]] = {}
        self._one_at_a_time = asyncio.Lock()

    @property
    def settings(self) -> AuthSettings:
        """The settings in force."""
        return self._live.web.auth

    @property
    def challenge(self) -> str:
        """The value of WWW-Authenticate."""
        return f'Basic realm="{self.settings.realm}", charset="UTF-8"'

    def forget(self) -> None:
        """Ask again for every password from now on."""
        self._verified.forget()

    def known(self, header: str) -> Account | None:
        """The account of an Authorization header that was verified a moment ago: the usual case, without waiting."""
        if not header or self.settings.cache_seconds <= 0:
            return None
        return self._verified.get(self._verified.digest(header))

    async def account(self, header: str, address: str) -> Account | None:
        """The account that an Authorization header opens; None after the delay that a refusal earns.

        Raises the Unavailable of the authenticator.
        """
        if not header:
            return None
        digest = self._verified.digest(header)
        found = self._verified.get(digest)
        if found is not None:
            return found
        try:
            readings = parse_basic(header)
        except MalformedRequest:
            return None  # no Basic credentials: as if there were none
        name = readings[0].user
        suspected = self._failures.suspects(name, address, self.settings.slow_down)
        async with self._one_at_a_time if suspected else contextlib.nullcontext():
            account = await self._once(digest, readings)
        if account is None:
            await self._hold_back(self._failures.add(name, address, self.settings.slow_down))
            return None
        self._failures.forgive(name, address)
        if self.settings.cache_seconds > 0:
            self._verified.put(digest, account, self.settings.cache_seconds)
        return account

    async def _once(self, digest: bytes, readings: list[Credentials]) -> Account | None:
        """Ask the authenticator; requests that come with the same credentials meanwhile share its answer."""
        asking = self._asking.get(digest)
        if asking is not None:
            return await asyncio.shield(asking)
        answer = self._asking[digest] = asyncio.get_running_loop().create_future()
        try:
            account = await self._ask(readings)
        except BaseException as error:
            if isinstance(error, Exception):
                answer.set_exception(error)
                answer.exception()  # retrieved here: there need not be anybody else
            else:
                answer.cancel()
            raise
        else:
            answer.set_result(account)
            return account
        finally:
            del self._asking[digest]

    async def _ask(self, readings: list[Credentials]) -> Account | None:
        for reading in readings:
            account = await self._authenticator.authenticate(reading.login, reading.password)
            if account is not None:
                return account
        return None

    async def _hold_back(self, seconds: float) -> None:
        if seconds <= 0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
