"""`eas-server deliver`, as a mail server's pipe calls it."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eas_server.backends.sqlite import open_store
from eas_server.cli.deliver import COMMAND, exit_status
from eas_server.submission.incoming import Outcome
from tests.server.submission.support import MESSAGE, fill, inbox, octets


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "eas-server.toml"
    path.write_text(
        '[server]\ndomains = ["example.com"]\n[store]\npath = "store.db"\n[lmtp]\nmax_message_bytes = 5000\n'
    )

    async def make() -> None:
        async with open_store(tmp_path / "store.db") as store:
            await fill(store, {"bob": 2000})

    asyncio.run(make())
    return path


def deliver(config: Path, *arguments: str, message: bytes = MESSAGE) -> Result:
    return CliRunner().invoke(COMMAND, ["--config", str(config), *arguments], input=message)


async def delivered(config: Path, name: str) -> list[tuple[bytes, bytes]]:
    async with open_store(config.parent / "store.db") as store:
        return [await octets(item) for item in await inbox(store, name)]


def test_a_message_is_stored_as_it_comes(config: Path):
    message = MESSAGE.replace(b"\r\n", b"\n") + b"\x80\r\x00"
    result = deliver(config, "-f", "dora@elsewhere.test", "bob", "carol@example.com", message=message)
    assert (result.exit_code, result.output) == (0, "")
    for name in ("bob", "carol"):
        ((above, below),) = asyncio.run(delivered(config, name))
        assert below == message
        assert above.startswith(b"Return-Path: <dora@elsewhere.test>\r\nDelivered-To: ")


@pytest.mark.parametrize(
    ("recipients", "message", "status"),
    [
        (["ghost@example.com"], MESSAGE, 67),
        (["bob@example.com"], MESSAGE + b"x" * 2500, 75),
        (["ghost@example.com", "bob@example.com"], MESSAGE + b"x" * 2500, 75),
        (["carol@example.com"], MESSAGE + b"x" * 6000, 65),
        (["carol@example.com"], b"", 65),
        (["carol@example.com"], b"Delivered-To: carol@example.com\n" + MESSAGE, 69),
    ],
)
def test_exit_status(config: Path, recipients: list[str], message: bytes, status: int):
    result = deliver(config, *recipients, message=message)
    assert result.exit_code == status
    assert result.output
    assert asyncio.run(delivered(config, "carol")) == []


def test_a_wrong_configuration(config: Path):
    config.write_text("[store]\nno_such_key = 1\n")
    assert deliver(config, "bob").exit_code == 78


def test_a_missing_configuration(tmp_path: Path):
    assert deliver(tmp_path / "none.toml", "bob").exit_code == 78


def test_a_store_that_cannot_be_opened(config: Path):
    (config.parent / "store.db").write_bytes(b"no database" * 1000)
    assert deliver(config, "bob").exit_code in {75, 78}


def test_no_recipient(config: Path):
    assert deliver(config).exit_code == 2


def test_the_worst_that_can_be_mended_decides():
    assert exit_status([Outcome.DELIVERED, Outcome.UNKNOWN, Outcome.UNAVAILABLE]) == 75
    assert exit_status([Outcome.DELIVERED, Outcome.LOOP, Outcome.UNKNOWN]) == 69
    assert exit_status([Outcome.DELIVERED]) == 0
