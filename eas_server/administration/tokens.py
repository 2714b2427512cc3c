"""The tokens that open the administration API: a file of names and digests, for the server's user alone.

A line is `NAME DIGEST`, the SHA-256 of the token in hexadecimal: who reads the file, or a copy of it, cannot use it. A
token has 256 random bits, so that a slow hash would protect nothing more.
"""

import hashlib
import logging
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from eas_server.administration.files import put_in_place
from eas_server.errors import ConfigError, NoSuchThing, ThereAlready, Unfit

log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_TOKEN_BYTES: Final = 32
_OTHERS: Final = 0o077
"""The permission bits of everybody but the owner."""
_HEAD: Final = "# Tokens of the administration API: `eas-server token` adds and removes them.\n"
_NOBODY: Final = hashlib.sha256(b"").hexdigest()


def add(path: Path, name: str) -> str:
    """Make a token, and the file where there is none; gives the token, which is kept nowhere.

    Raises AdministrationError, ConfigError.
    """
    if _NAME.fullmatch(name) is None:
        raise Unfit("", f'"{name}" cannot name a token: letters, digits, dots and hyphens, 64 at most')
    known = dict(read(path))
    if name in known:
        raise ThereAlready(f"there is a token {name} already: `eas-server token remove {name}` ends it")
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    _write(path, {**known, name: _digest(token)})
    return token


def remove(path: Path, name: str) -> None:
    """End a token, at once. Raises NoSuchThing, ConfigError."""
    known = dict(read(path))
    if known.pop(name, None) is None:
        raise NoSuchThing(f"there is no token {name}: see `eas-server token list`")
    _write(path, known)


def read(path: Path) -> Mapping[str, str]:
    """The digests by name; none where there is no file. Raises ConfigError, also for a file that others can read."""
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & _OTHERS:
                raise ConfigError(f"{path}: others can read it: `chmod 600 {path}`, and make new tokens")
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    found = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, digest = line.partition(" ")
        if _NAME.fullmatch(name) is None or _DIGEST.fullmatch(digest.strip()) is None:
            raise ConfigError(f"{path}, line {number}: must be a name and the SHA-256 of a token")
        found[name] = digest.strip()
    return found


class Tokens:
    """The tokens as they are now: a file that was changed is read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: object = None
        self._known: Mapping[str, str] = {}

    def who(self, token: str) -> str | None:
        """The name of a token; None: nobody's. Takes as long for one as for the other."""
        self._look()
        given, found = _digest(token), None
        for name, digest in (*self._known.items(), ("", _NOBODY)):
            if secrets.compare_digest(given, digest):
                found = name
        return found or None

    def __bool__(self) -> bool:
        """Whether there is any."""
        self._look()
        return bool(self._known)

    def _look(self) -> None:
        stamp: object = None
        with suppress(OSError):
            seen = self._path.stat()
            stamp = (seen.st_mtime_ns, seen.st_size, seen.st_ino, seen.st_mode)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._known = read(self._path)
        except ConfigError as error:
            self._known = {}
            log.error("no token of the administration API is taken: %s", error)  # noqa: TRY400 — the reason is enough


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _write(path: Path, tokens: Mapping[str, str]) -> None:
    put_in_place(path, (_HEAD + "".join(f"{name} {digest}\n" for name, digest in tokens.items())).encode())
