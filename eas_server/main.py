"""The composition: configuration -> adapters -> application -> listeners. With `cli` the only importer of backends."""

import asyncio
import contextlib
import logging
import signal
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Final

from starlette.routing import BaseRoute

from eas_server.administration import switches, tokens
from eas_server.administration.ports import Administered
from eas_server.administration.tokens import Tokens
from eas_server.backends.audit_file import FOLDER as AUDIT
from eas_server.backends.audit_file import AuditFile
from eas_server.backends.ldap import LdapAuthenticator, LdapDirectory, LdapPool
from eas_server.backends.remembering import RememberingDirectory
from eas_server.backends.revocation.exchange import trusting
from eas_server.backends.revocation.source import FOLDER as EVIDENCE
from eas_server.backends.revocation.source import FetchingSource
from eas_server.backends.shares import SharesLibrary
from eas_server.backends.sqlite import Store, SystemClock, open_store
from eas_server.backends.system_trust import SystemTrust, check_bundle
from eas_server.commands.context import Command, Ports
from eas_server.commands.protected_mail import ProtectedMail
from eas_server.commands.registry import load_commands
from eas_server.config import Config, load
from eas_server.delivery.harvest import HarvestPorts
from eas_server.delivery.steps import deliver_through
from eas_server.errors import ConfigError
from eas_server.interfaces import Audit, Authenticator, Clock, Directory, DocumentLibrary, MailSubmission
from eas_server.model.settings import Settings
from eas_server.notify import ChangeNotifier
from eas_server.render.mime import index_message
from eas_server.submission.incoming import Incoming, IncomingPorts
from eas_server.submission.lmtp import LmtpListener
from eas_server.submission.queue import QueuePorts, QueueRunner, WakingSubmission
from eas_server.submission.smart_host import transport_for
from eas_server.submission.trace import server_name
from eas_server.web.administration.application import Administration
from eas_server.web.administration.operations import Site
from eas_server.web.app import App
from eas_server.web.auth import SignIn
from eas_server.web.endpoint import Endpoint
from eas_server.web.in_force import InForce
from eas_server.web.listeners import Listeners, raise_file_limit, reload_certificate, tls_context
from eas_server.web.log import RequestIds, set_up_logging
from eas_server.web.pages import Pages
from eas_server.web.settings import Live
from eas_server.web.trace import FOLDER as TRACES
from eas_server.web.trace import Traces
from protocol.http import CommandName

log = logging.getLogger(__name__)

Ready = Callable[[Sequence[str]], None]
"""Told the URLs once connections are accepted."""
Job = Callable[[], Awaitable[None]]
"""Something that runs as long as the server does; it is cancelled at the end."""
RESTART_SECONDS: Final = 5
RESTART_SECTIONS: Final = (
    "listeners",
    "administration",
    "store",
    "directory",
    "ldap",
    "smtp",
    "lmtp",
    "shares",
    "revocation",
    "lab",
    "audit",
)
"""Sections that a reload cannot bring into force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The world as the configuration wants it."""

    ports: Ports
    authenticator: Authenticator
    jobs: Sequence[Job] = ()
    administered: Administered | None = None
    """What the administration API works on."""
    routes: Sequence[BaseRoute] = ()
    """Served besides: those of the lab. Their paths are in lower case."""


OpenAdapters = Callable[[Config, ChangeNotifier, Clock, Live], AbstractAsyncContextManager[Adapters]]


class Server:
    """One running server: what signals act on."""

    def __init__(self, path: Path, config: Config, adapters: Adapters, live: Live, clock: Clock) -> None:
        self._path = path
        self._config = config
        self._adapters = adapters
        self._live = live
        self._stopping = asyncio.Event()
        self._context: ssl.SSLContext | None = None if config.tls is None else tls_context(config.tls)
        self._sign_in = SignIn(adapters.authenticator, live, self._stopping, time.monotonic)
        commands = load_commands()
        folder = config.store.path.parent
        ports = adapters.ports
        self._in_force = InForce(live, switches.path_of(config.store.path), ports.directory, ports.accounts)
        self._traces = Traces(folder / TRACES)
        self._administration = self._administration_listener()
        self._listeners = Listeners(
            build_app(
                ports,
                commands,
                self._sign_in,
                live,
                clock,
                self._stopping,
                traces=self._traces,
                routes=adapters.routes,
            ),
            config.listeners,
            context=self._context,
            timing=config.limits.connections,
            stopping=self._stopping,
        )

    def _administration_listener(self) -> Listeners | None:
        """The listener of the administration API; None while there is no token that would open it."""
        section, administered = self._config.administration, self._adapters.administered
        known = Tokens(section.tokens)
        if administered is None or not known:
            return None
        site = Site(world=administered, in_force=self._in_force, traces=self._traces)
        api = Administration(site, known, RequestIds(), self._live.web.limits, version("eas-server"))
        return Listeners(
            api,
            [section.listener],
            context=self._context,
            timing=self._config.limits.connections,
            stopping=self._stopping,
        )

    async def serve(self, ready: Ready | None = None) -> None:
        """Serve until `stop`. Raises OSError when an address cannot be listened on."""
        urls = self._listeners.bind()
        await self._in_force.refresh()
        beside = [_keep_running(job) for job in (*self._adapters.jobs, self._in_force.run)]
        if self._administration is not None:
            log.info("the administration API is at %s", self._administration.bind()[0])
            beside.append(self._administration.serve())

        def begun() -> None:
            log.info("listening on %s", ", ".join(urls))
            if ready is not None:
                ready(urls)

        try:
            async with asyncio.TaskGroup() as group:
                jobs = [group.create_task(job) for job in beside]
                try:
                    await self._listeners.serve(begun)
                finally:
                    for job in jobs:
                        job.cancel()
        except* OSError as failed:
            failure: OSError | None = _first(failed)
        else:
            failure = None
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """Stop accepting, let waiting requests answer, then end."""
        log.info("stopping")
        if self._administration is not None:
            self._administration.stop()
        self._listeners.stop()

    def reload(self) -> None:
        """Bring the configuration and the certificates into force as they are now; broken ones are refused whole."""
        try:
            config = load(self._path)
            if config.tls is not None and self._context is not None:
                reload_certificate(self._context, config.tls)
            _set_up_logging(config)
        except (ConfigError, OSError) as error:
            # the reason is the administrator's to mend: a traceback would hide it
            log.error("the configuration was not reloaded, the old one stays: %s", error)  # noqa: TRY400
            return
        for section in RESTART_SECTIONS:
            if getattr(config, section) != getattr(self._config, section):
                log.warning("[%s] changed: this takes a restart", section)
        self._config = config
        self._in_force.rebase(config.web)
        self._sign_in.forget()
        log.info("the configuration was reloaded")


def _set_up_logging(config: Config) -> None:
    section = config.logging
    set_up_logging(section.level, json_lines=section.format == "json", file=section.file)


async def _keep_running(job: Job) -> None:
    """Run a job again when it fails: what it works with may come back. Raises OSError, as for an address in use."""
    while True:
        try:
            await job()
        except OSError:
            raise
        except Exception:
            log.exception("a background job failed; it begins anew in %d seconds", RESTART_SECONDS)
        await asyncio.sleep(RESTART_SECONDS)


def _first(group: BaseExceptionGroup[OSError]) -> OSError:
    """The first failure of a group, which says enough."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def build_app(
    ports: Ports,
    commands: Mapping[CommandName, Command],
    sign_in: SignIn,
    live: Live,
    clock: Clock,
    stopping: asyncio.Event,
    *,
    traces: Traces | None = None,
    routes: Sequence[BaseRoute] = (),
) -> App:
    """The HTTP side over the given ports."""
    ids = RequestIds()
    endpoint = Endpoint(
        ports=ports,
        commands=commands,
        sign_in=sign_in,
        live=live,
        clock=clock,
        ids=ids,
        stopping=stopping,
        traces=traces,
    )
    pages = Pages(sign_in=sign_in, live=live, clock=clock, ids=ids, further=routes)
    return App(endpoint, pages.app, live)


@contextlib.asynccontextmanager
async def open_adapters(config: Config, notifier: ChangeNotifier, clock: Clock, live: Live) -> AsyncIterator[Adapters]:
    """The adapters that the configuration names."""
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            open_store(
                config.store.path,
                notifier=notifier,
                clock=clock,
                remembered=timedelta(seconds=config.authentication.cache_seconds),
            )
        )
        runner = _queue_runner(config, store, clock)
        submission = delivering(config, store, WakingSubmission(store.submission, runner.wake), live)
        jobs: list[Job] = [store.watch, runner.run]
        if config.lmtp.enabled:
            jobs.append(_lmtp_listener(config, store, submission, clock).run)
        directory, authenticator = _people(config, store, stack)
        evidence = await stack.enter_async_context(open_evidence(config, clock))
        jobs.append(evidence.run)
        ports = Ports(
            folders=store.folders,
            mail=ProtectedMail(store.mail),
            search=store.mail,
            state=store.state,
            accounts=store.accounts,
            directory=directory,
            submission=submission,
            preferences=store.preferences,
            notifier=notifier,
            documents=_documents(config, store, stack),
            authenticator=authenticator,
            trust=SystemTrust(store.trust, lambda: live.web.settings.smime),
            revocation=evidence,
            harvested=store.harvested,
            audit=_audit(config, stack),
        )
        administered = Administered(
            people=store.admin,
            state=store.state,
            accounts=store.accounts,
            directory=directory,
            preferences=store.preferences,
            queue=store.queue,
            clock=clock,
        )
        yield Adapters(ports=ports, authenticator=authenticator, jobs=jobs, administered=administered)


def _people(config: Config, store: Store, stack: contextlib.AsyncExitStack) -> tuple[Directory, Authenticator]:
    """Where people are looked up, and who says that a password is right."""
    if config.ldap is None:
        return store.directory, store.authenticator
    pool = LdapPool(config.ldap)
    stack.push_async_callback(pool.close)
    remembering = RememberingDirectory(LdapDirectory(pool), config.directory.remember_seconds)
    return (
        remembering if config.directory.kind == "ldap" else store.directory,
        LdapAuthenticator(pool, store.accounts) if config.authentication.kind == "ldap" else store.authenticator,
    )


def _documents(config: Config, store: Store, stack: contextlib.AsyncExitStack) -> DocumentLibrary | None:
    """The shares of documents, where there are any."""
    if not config.shares:
        return None
    library = SharesLibrary(config.shares, store.accounts)
    stack.callback(library.close)
    return library


@contextlib.asynccontextmanager
async def open_evidence(config: Config, clock: Clock) -> AsyncIterator[FetchingSource]:
    """What fetches CRLs, OCSP answers and issuers. Raises ConfigError where `revocation.ca_file` cannot be read."""
    source = FetchingSource(config.revocation, config.store.path.parent / EVIDENCE, clock)
    try:
        yield source
    finally:
        await source.close()


def _audit(config: Config, stack: contextlib.AsyncExitStack) -> Audit | None:
    """The audit trail, where one is kept."""
    if not config.audit.enabled:
        return None
    trail = AuditFile(config.store.path.parent / AUDIT, config.audit)
    stack.push_async_callback(asyncio.to_thread, trail.close)
    return trail


def _host(config: Config) -> str:
    """What the server calls itself in mail."""
    domain = config.settings.domains[0] if config.settings.domains else ""
    return config.smtp.local_hostname or server_name(config.settings.external_url, f"@{domain}")


def delivering(config: Config, store: Store, inner: MailSubmission, live: Live | None = None) -> MailSubmission:
    """`inner` with all that becomes of mail besides its delivery; `live` has settings that may change meanwhile."""

    def settings() -> Settings:
        return config.settings if live is None else live.web.settings

    return deliver_through(
        inner,
        folders=store.folders,
        mail=store.mail,
        search=store.mail,
        accounts=store.accounts,
        preferences=store.preferences,
        host=_host(config),
        domains=config.settings.domains,
        answered=lambda: settings().mail.automatic_replies,
        harvest=HarvestPorts(
            kept=store.harvested,
            trust=SystemTrust(store.trust, lambda: settings().smime),
            settings=lambda: settings().harvest,
        ),
    )


def _queue_runner(config: Config, store: Store, clock: Clock) -> QueueRunner:
    ports = QueuePorts(
        queue=store.queue,
        submission=store.submission,
        accounts=store.accounts,
        transport=transport_for(config.smtp),
        clock=clock,
        index=index_message,
    )
    return QueueRunner(ports, config.smtp, host=_host(config))


def _lmtp_listener(config: Config, store: Store, submission: MailSubmission, clock: Clock) -> LmtpListener:
    ports = IncomingPorts(accounts=store.accounts, submission=submission, clock=clock, index=index_message)
    incoming = Incoming(ports, host=_host(config), domains=config.settings.domains)
    return LmtpListener(incoming, config.lmtp, host=_host(config))


def check(config_path: Path) -> None:
    """Read all that a start reads before it opens the store. Raises ConfigError, and OSError for certificates."""
    config = load(config_path)
    if config.tls is not None:
        tls_context(config.tls)
    if config.ldap is not None:
        LdapPool(config.ldap)
    transport_for(config.smtp)
    trusting(config.revocation)
    check_bundle(config.smime)
    tokens.read(config.administration.tokens)
    switches.read(switches.path_of(config.store.path))


async def run(config_path: Path, ready: Ready | None = None, *, adapters: OpenAdapters = open_adapters) -> None:
    """Read the configuration and serve until SIGTERM or SIGINT; SIGHUP reloads.

    Raises ConfigError, OSError for certificates and addresses, and what opening the adapters raises.
    """
    config = load(config_path)
    _set_up_logging(config)
    raise_file_limit()
    clock, live = SystemClock(), Live(config.web)
    async with adapters(config, ChangeNotifier(), clock, live) as opened:
        server = Server(config_path, config, opened, live, clock)
        with _signals({signal.SIGTERM: server.stop, signal.SIGINT: server.stop, signal.SIGHUP: server.reload}):
            await server.serve(ready)


@contextlib.contextmanager
def _signals(handlers: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)
