"""`eas-server demo`."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eas_server.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from eas_server.lab.folder import Demo, Place
    from eas_server.lab.keys import LabKeys

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8080
MAX_PORT: Final = 65535


@click.command(name="demo")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-data"),
    show_default=True,
    help="The folder of the demonstration; kept from one start to the next.",
)
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="The address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(1, MAX_PORT), default=DEFAULT_PORT, show_default=True)
@click.option("--tls", is_flag=True, help="Serve TLS, with a certificate of the lab's own authority.")
@click.option(
    "--password",
    envvar="EAS_DEMO_PASSWORD",
    default="",
    help="The password of all accounts; the kept one, or at first a random one, if none is given.",
)
@click.option("--once", is_flag=True, help="End after the walk-through; exit status 0 only if all of it held.")
def demo(data: Path, host: str, port: int, tls: bool, password: str, once: bool) -> None:
    """Make a server with sample data, act out the main job against it, and serve on.

    The first start makes accounts (alice, bob and carol@example.com), a group, mailboxes, keys and certificates; later
    ones keep all of that. The configuration is DATA/eas-server.toml, for --config of the other commands.
    """
    from eas_server.lab.folder import FolderError

    try:
        ready = _prepare(data, host, port, tls, password)
        held = _serve(ready, once)
    except (FolderError, ConfigError, Unavailable, OSError) as error:
        raise click.ClickException(str(error)) from None
    if not held:
        raise SystemExit(1)


def _prepare(data: Path, host: str, port: int, tls: bool, password: str) -> "Demo":
    from eas_server.lab.folder import Place, prepare

    place = Place(host=address_or_fail(host, tls), port=port, tls=tls)
    click.echo(f"Demonstration in {data}")
    began = datetime.now(UTC)
    ready = prepare(data, place, password or None, _seed, began)
    _publish(ready)
    if ready.new:
        seconds = (datetime.now(UTC) - began).total_seconds()
        click.echo(f"Made keys, certificates, accounts and mailboxes in {seconds:.1f} s")
    else:
        click.echo("Everything is there already, and stays as it is")
        if password and password != ready.password:
            ready = _with_password(ready, place, password)
    return ready


def address_or_fail(host: str, tls: bool) -> str:
    """The IP address of `host`. Raises FolderError for one that others reach, without TLS."""
    from ipaddress import ip_address

    from eas_server.lab.folder import FolderError, address_of

    address = address_of(host)
    if not (tls or ip_address(address).is_loopback):
        raise FolderError(
            f"{host} can be reached by others: passwords would travel in the clear. Add TLS (make: TLS=1)"
        )
    return address


def _with_password(ready: "Demo", place: "Place", password: str) -> "Demo":
    from eas_server.lab.folder import STORE, prepare, remember_password
    from eas_server.lab.seed import set_passwords

    async def change() -> None:
        from eas_server.backends.sqlite import open_store

        async with open_store(ready.folder / STORE) as store:
            await set_passwords(store.admin, password)

    asyncio.run(change())
    remember_password(ready.folder, password)
    click.echo("The accounts have the new password")
    return prepare(ready.folder, place, None, _seed, datetime.now(UTC))


def _seed(path: Path, keys: "LabKeys", password: str, now: datetime) -> None:
    from eas_server.backends.sqlite import open_store
    from eas_server.lab.seed import seed

    async def fill() -> None:
        async with open_store(path) as store:
            await seed(store.admin, store.folders, store.mail, keys=keys, password=password, now=now)

    asyncio.run(fill())


def _publish(ready: "Demo") -> None:
    """Where the demonstration moved, its certificates name other URLs than those that the directory has."""
    from eas_server.backends.sqlite import open_store
    from eas_server.lab.folder import STORE
    from eas_server.lab.publishing import publish

    async def work() -> None:
        async with open_store(ready.folder / STORE) as store:
            await publish(ready.keys.lab, store.admin, store.trust)

    asyncio.run(work())


def _serve(ready: "Demo", once: bool) -> bool:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(ready, once))


async def _run(ready: "Demo", once: bool) -> bool:
    """Serve; whether the walk-through held."""
    from eas_server.lab.phone import instructions
    from eas_server.lab.serving import open_adapters_with_lab
    from eas_server.lab.walkthrough import StepFailed, walk_through
    from eas_server.main import run

    listening = asyncio.Event()
    server = asyncio.create_task(run(ready.config, lambda _: listening.set(), adapters=open_adapters_with_lab))
    await _either(listening.wait(), server)
    held = True
    async with _root_page(ready) as root_url:
        click.echo(f"Serving {ready.place.url}; log: {ready.folder / 'eas-server.log'}\n")
        try:
            await walk_through(ready, click.echo)
            click.echo("\nAll of it held.")
        except StepFailed as failure:
            held = False
            click.secho(f"\nFAILED at {failure}", fg="red", err=True)
        if once:
            # the server ends as it does for an administrator: waiting requests are answered first
            if not server.done():
                signal.raise_signal(signal.SIGTERM)
        else:
            click.echo(f"\n{instructions(ready, root_url)}\n")
            click.echo(f"Serving until Ctrl-C. Configuration for other commands: --config {ready.config}")
        await server
    return held


async def _either(event: Coroutine[None, None, bool], server: "asyncio.Task[None]") -> None:
    """Wait for the event, or for the server's early end, whose reason is raised."""
    waiting = asyncio.create_task(event)
    await asyncio.wait((waiting, server), return_when=asyncio.FIRST_COMPLETED)
    if server.done():
        waiting.cancel()
        server.result()


@contextlib.asynccontextmanager
async def _root_page(ready: "Demo") -> AsyncIterator[str | None]:
    """Serve the root certificate beside the server, where a client needs it; gives its URL."""
    from eas_server.backends.sqlite import SystemClock
    from eas_server.lab.pki import revoked_later
    from eas_server.lab.root_page import bind_root_page
    from eas_server.web.lab_pki import LabPki

    if not ready.place.tls:
        yield None
        return
    pages = LabPki(ready.keys.lab, SystemClock(), revoked_later(ready.folder))
    listeners, url = bind_root_page(ready.keys.root.certificate, ready.place, asyncio.Event(), pages.routes)
    serving = asyncio.create_task(listeners.serve())
    try:
        yield url
    finally:
        listeners.stop()
        await serving


COMMAND = demo
