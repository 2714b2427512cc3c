"""`[lab]`: the lab PKI of a server, where its configuration says so."""

from pathlib import Path

import pytest

from eas_server.backends.sqlite import SystemClock
from eas_server.config import parse
from eas_server.errors import ConfigError
from eas_server.lab.pki import MADE_FILE, ROOT_FILE
from eas_server.lab.serving import open_adapters_with_lab
from eas_server.notify import ChangeNotifier
from eas_server.web.lab_pki import PATH
from eas_server.web.settings import Live

SMALL = '[server]\ndomains = ["example.com"]\n[store]\npath = "store.db"\n'


async def routes(folder: Path, more: str) -> list[str]:
    """The paths that are served besides."""
    config = parse(SMALL + more, folder / "eas-server.toml")
    async with open_adapters_with_lab(config, ChangeNotifier(), SystemClock(), Live(config.web)) as opened:
        return [route.path for route in opened.routes]


async def test_without_the_section_there_is_nothing(tmp_path):
    assert await routes(tmp_path, "") == []
    assert not (tmp_path / ROOT_FILE).exists()


async def test_with_it_the_lab_is_made_and_served(tmp_path):
    found = await routes(tmp_path, '[lab]\nurl = "http://127.0.0.1:8080/"\n')
    assert found
    assert all(path.startswith(f"{PATH}/") for path in found)
    assert (tmp_path / ROOT_FILE).exists()
    (tmp_path / MADE_FILE).write_text("once upon a time")
    with pytest.raises(ConfigError, match=r"lab\.url: the lab PKI cannot be opened: .*once upon a time"):
        await routes(tmp_path, '[lab]\nurl = "http://127.0.0.1:8080"\n')


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://", "http://x/lab", "http://a@x", "http://x?y"])
def test_urls_that_are_none(tmp_path, url):
    with pytest.raises(ConfigError, match=r"lab\.url: must be scheme and host alone"):
        parse(f'{SMALL}[lab]\nurl = "{url}"\n', tmp_path / "eas-server.toml")
