"""The settings in force: the configuration, what is switched while the server runs, and the policies of groups."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from eas_server.administration import policies
from eas_server.administration.switches import Switches, read
from eas_server.errors import ConfigError, Unavailable
from eas_server.interfaces import Accounts, Directory
from eas_server.model.ids import UserId
from eas_server.model.settings import Settings
from eas_server.web.settings import Live, WebSettings

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""How often is looked whether something was switched."""
_UNKNOWN: Final = object()
"""No stamp of a file: it is to be read again."""
GROUPS_SECONDS: Final = 30.0
"""How often groups that have a policy are looked up: a request never waits for that."""


class InForce:
    """Keeps `live` as it should be."""

    def __init__(self, live: Live, path: Path, directory: Directory, accounts: Accounts) -> None:
        self._live = live
        self._base: WebSettings = live.web
        self._path = path
        self._directory = directory
        self._accounts = accounts
        self._stamp: object = None
        self._members: dict[str, frozenset[UserId]] = {}
        self._missing: frozenset[str] = frozenset()
        """Groups that have a policy and are not in the directory."""
        self.switches = Switches()

    @property
    def path(self) -> Path:
        """The file of the switches."""
        return self._path

    @property
    def live(self) -> Live:
        """What is kept right."""
        return self._live

    @property
    def configured(self) -> Settings:
        """The settings as the configuration has them."""
        return self._base.settings

    @property
    def configured_require_tls(self) -> bool:
        """Whether the configuration refuses plain HTTP."""
        return self._base.require_tls

    @property
    def members(self) -> Mapping[str, frozenset[UserId]]:
        """The users of the groups that have a policy, as they were last looked up."""
        return self._members

    def rebase(self, web: WebSettings) -> None:
        """Take over another configuration; groups that it newly names are looked up in a moment."""
        self._base = web
        self._apply()
        self._stamp = _UNKNOWN

    async def refresh(self) -> None:
        """Read the switches, look the groups up, and bring both into force."""
        self._read()
        groups = policies.groups_with_policies(self._base.settings, self.switches)
        try:
            self._members = await policies.all_members(groups, self._directory, self._accounts)
        except Unavailable as error:
            log.warning("the groups that have a policy cannot be looked up; who was in them stays: %s", error)
        else:
            self._tell_missing(frozenset(groups) - self._members.keys())
        self._apply()

    async def run(self) -> None:
        """Look around, until cancelled: a job of the server."""
        loop = asyncio.get_running_loop()
        looked_up = loop.time()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._changed() or loop.time() - looked_up >= GROUPS_SECONDS:
                await self.refresh()
                looked_up = loop.time()

    def _tell_missing(self, missing: frozenset[str]) -> None:
        for group in sorted(missing - self._missing):
            log.warning("the directory has no group %s, or several of that name: its policy is nobody's", group)
        self._missing = missing

    def _apply(self) -> None:
        base, switches = self._base, self.switches
        require_tls = base.require_tls if switches.require_tls is None else switches.require_tls
        settings = policies.in_force(base.settings, switches, self._members)
        web = replace(base, settings=settings, require_tls=require_tls)
        if web != self._live.web:
            self._live.web = web

    def _stamp_now(self) -> object:
        try:
            seen = self._path.stat()
        except OSError:
            return None
        return (seen.st_mtime_ns, seen.st_size, seen.st_ino)

    def _changed(self) -> bool:
        return self._stamp_now() != self._stamp

    def _read(self) -> None:
        self._stamp = self._stamp_now()
        try:
            self.switches = read(self._path)
        except ConfigError as error:
            log.error("what is switched stays as it was: %s", error)  # noqa: TRY400 — the reason is enough
