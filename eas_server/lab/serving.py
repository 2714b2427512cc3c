"""A server with the lab PKI, where its configuration says so: what `serve` and the demonstration open."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from eas_server.config import Config
from eas_server.errors import ConfigError
from eas_server.interfaces import Clock
from eas_server.lab.pki import LabFilesError, open_lab, revoked_later
from eas_server.main import Adapters, open_adapters
from eas_server.notify import ChangeNotifier
from eas_server.pki.lab_issue import Lab
from eas_server.web.lab_pki import PATH, LabPki
from eas_server.web.settings import Live


@contextlib.asynccontextmanager
async def open_adapters_with_lab(
    config: Config, notifier: ChangeNotifier, clock: Clock, live: Live
) -> AsyncIterator[Adapters]:
    """The adapters that the configuration names, and the lab's routes. Raises ConfigError for the lab's files."""
    async with open_adapters(config, notifier, clock, live) as opened:
        if not config.lab.url:
            yield opened
            return
        folder = config.store.path.parent
        try:
            lab = lab_at(folder, config.lab.url, clock.now())
        except (LabFilesError, OSError) as error:
            raise ConfigError(f"lab.url: the lab PKI cannot be opened: {error}") from None
        pages = LabPki(lab, clock, revoked_later(folder))
        yield replace(opened, routes=(*opened.routes, *pages.routes))


def lab_at(folder: Path, origin: str, now: datetime) -> Lab:
    """The lab in `folder`, served at an origin (`http://127.0.0.1:8080`). Raises LabFilesError, OSError."""
    return open_lab(folder, f"{origin.rstrip('/')}{PATH}", now)
