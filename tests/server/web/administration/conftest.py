"""The administration API over a store of alice, bob and carol, asked as an ASGI application."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eas_server.administration import switches, tokens
from eas_server.administration.ports import Administered
from eas_server.backends.sqlite import HashCost, Store, SystemClock, open_store
from eas_server.model.settings import PolicySettings, Settings
from eas_server.web.administration.application import Administration
from eas_server.web.administration.operations import Site
from eas_server.web.in_force import InForce
from eas_server.web.log import RequestIds
from eas_server.web.settings import Live, WebLimits, WebSettings
from eas_server.web.trace import Traces

CHEAP = HashCost(passes=1, kibibytes=8, lanes=1)
POLICIES = {
    "default": PolicySettings(),
    "board": PolicySettings(name="board", strict=True, settings={"DevicePasswordEnabled": True}),
    "staff": PolicySettings(name="staff"),
}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]


@dataclass
class Api:
    """The application, and a token for it."""

    app: Administration
    store: Store
    in_force: InForce
    traces: Traces
    token: str
    folder: Path
    log: list[dict[str, Any]] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, body: Any = None, *, octets: bytes | None = None, **headers: str
    ) -> Answer:
        """One request with the token; underscores in names of headers stand for hyphens, "" leaves one out."""
        content = octets if octets is not None else b"" if body is None else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {self.token}", "content-length": str(len(content))}
        if content:
            sent["content-type"] = "application/json"
        sent.update({name.replace("_", "-").lower(): value for name, value in headers.items()})
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value],
            "client": ("127.0.0.1", 5),
            "server": ("127.0.0.1", 8081),
        }
        incoming = [{"type": "http.request", "body": content, "more_body": False}]
        outgoing: list[Any] = []

        async def receive() -> Any:
            return incoming.pop(0) if incoming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            outgoing.append(message)

        await self.app(scope, receive, send)
        start, *rest = outgoing
        return Answer(
            status=start["status"],
            headers={name.decode(): value.decode() for name, value in start["headers"]},
            body=b"".join(part.get("body", b"") for part in rest),
        )

    async def get(self, path: str) -> Any:
        """The JSON of a GET that succeeds."""
        answer = await self.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    async def do(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """A change that succeeds."""
        answer = await self.ask(method, path, body)
        assert answer.status == status, answer.body
        return answer.json if answer.body else None

    async def refused(self, method: str, path: str, body: Any = None, *, status: int = 400) -> Any:
        """The error of a request that is refused."""
        answer = await self.ask(method, path, body)
        assert answer.status == status, answer.body
        return answer.error


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    token = tokens.add(tmp_path / "tokens", "tests")
    async with open_store(tmp_path / "store.db", hash_cost=CHEAP) as store:
        for name in ("alice", "bob", "carol"):
            await store.admin.add_user(f"{name}@example.com", "secret")
        clock = SystemClock()
        administered = Administered(
            people=store.admin,
            state=store.state,
            accounts=store.accounts,
            directory=store.directory,
            preferences=store.preferences,
            queue=store.queue,
            clock=clock,
        )
        settings = Settings(policies=POLICIES, domains=("example.com",))
        path = switches.path_of(tmp_path / "store.db")
        in_force = InForce(Live(WebSettings(settings=settings)), path, store.directory, store.accounts)
        await in_force.refresh()
        traces = Traces(tmp_path / "traces")
        site = Site(world=administered, in_force=in_force, traces=traces)
        app = Administration(site, tokens.Tokens(tmp_path / "tokens"), RequestIds(), WebLimits(), "1.2.3")
        yield Api(app=app, store=store, in_force=in_force, traces=traces, token=token, folder=tmp_path)
