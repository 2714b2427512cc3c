"""The administration API beside a real server, and what devices notice of it."""

import asyncio
import json
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from eas_server.administration import tokens
from eas_server.model.mail import FolderType
from protocol.client import FOLDER_SYNC, Command
from protocol.codepages import tag
from protocol.commands import find, folder_sync, ping
from protocol.elements import Element
from protocol.http import CommandName
from protocol.status import CommonStatus
from protocol.versions import V14_1, V16_1
from tests.scenarios.server import PASSWORD, Server, World, fill
from tests.scenarios.test_administration import FIRST, administer, let_in, until

FIND = Command(CommandName.FIND, find.Request, find.Response)
MORE = """
[administration]
port = 0
[policies.strict]
strict = true
settings = { DevicePasswordEnabled = true }
[policies.team]
strict = true
groups = ["team@w1.example.com"]
"""


@dataclass
class Api:
    """A program that holds a token."""

    base: str
    token: str

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON of an answer."""

        def call() -> tuple[int, Any]:
            given = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers}
            content = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(f"{self.base}/v1{path}", content, given, method=method)
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    octets, status, kind = answer.read(), answer.status, answer.headers.get("content-type", "")
            except urllib.error.HTTPError as error:
                with error:
                    octets, status, kind = error.read(), error.code, error.headers.get("content-type", "")
            return status, json.loads(octets) if "json" in kind and octets else octets.decode()

        return await asyncio.to_thread(call)

    async def do(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a request that succeeds."""
        status, answer = await self.ask(method, path, body)
        assert status < 300, answer
        return answer


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Api]]:
    """A server with an administration API."""
    folder = tmp_path_factory.mktemp("administered")
    running = Server(folder, MORE)
    token = tokens.add(folder / "administration.tokens", "tests")
    running.open(fill)
    running.start()
    found = re.search(r"the administration API is at (http://\S+)", running.log)
    assert found
    yield running, Api(found[1], token)
    running.stop()
    assert "Traceback" not in running.log
    assert token not in running.log
    assert (folder / "stderr.txt").read_text() == ""


@pytest.fixture
async def api(own: tuple[Server, Api]) -> Api:
    return own[1]


@pytest.fixture
async def world(own: tuple[Server, Api]) -> AsyncIterator[World]:
    made = own[0].world()
    yield made
    await made.close()


async def test_it_asks_for_a_token_and_is_in_the_log(own, api):
    assert (await Api(api.base, "wrong").ask("GET", "/users"))[0] == 401
    assert (await api.ask("GET", "/users", Origin="https://evil.example"))[0] == 403
    described = await api.do("GET", "/openapi.json")
    assert "/v1/users" in described["paths"]
    assert "operation=describe" in own[0].log
    assert "who=tests" in own[0].log


async def test_the_policy_of_a_group_from_the_configuration(own, world):
    """The first world of this server is w0, whose team has none; that of w1 has a strict one."""
    other = own[0].world() if world.domain == "w0.example.com" else world
    assert other.domain == "w1.example.com"
    answer = await other.device().call(FOLDER_SYNC, FIRST)
    assert answer.status == CommonStatus.DEVICE_NOT_PROVISIONED
    await other.close()


async def test_devices_notice_what_is_done(api, world):
    user = f"/users/{world.address('alice')}"
    phone = world.device()
    assert let_in(await phone.call(FOLDER_SYNC, FIRST))
    await api.do("PUT", f"{user}/policy", {"policy": "strict"})
    assert (await phone.call(FOLDER_SYNC, FIRST)).status == CommonStatus.DEVICE_NOT_PROVISIONED, "at once"
    await api.do("PUT", f"{user}/policy", {"policy": None})
    assert let_in(await phone.call(FOLDER_SYNC, FIRST))
    await api.do("PUT", f"{user}/devices/device1/access", {"access": "blocked"})
    assert not let_in(await phone.call(FOLDER_SYNC, FIRST))
    await api.do("PUT", f"{user}/devices/device1/access", {"access": "allowed"})
    await api.do("PATCH", user, {"eas_enabled": False})
    assert (await phone.call(FOLDER_SYNC, FIRST)).status == CommonStatus.USER_DISABLED_FOR_SYNC
    await api.do("PATCH", user, {"eas_enabled": True})
    await api.do("PUT", f"{user}/password", {"password": "another one"})
    assert (await phone.call(FOLDER_SYNC, FIRST)).http_status == 401
    await api.do("PUT", f"{user}/password", {"password": PASSWORD})
    await api.do("PUT", "/require-tls", {"require_tls": True})
    assert (await phone.call(FOLDER_SYNC, FIRST)).http_status == 403
    await api.do("PUT", "/require-tls", {"require_tls": None})
    assert let_in(await phone.call(FOLDER_SYNC, FIRST))
    assert [each["device"] for each in await api.do("GET", f"{user}/devices")] == ["device1"]


async def test_a_device_that_waits_hears_at_once_that_it_is_blocked(api, world):
    phone = world.device(device_id="lost")
    inbox = (await phone.folders())[FolderType.INBOX]
    await phone.catch_up(inbox)
    waiting = asyncio.create_task(phone.wait(inbox))
    await asyncio.sleep(0.2)
    await api.do("PUT", f"/users/{world.address('alice')}/devices/lost/access", {"access": "blocked"})
    assert (await asyncio.wait_for(waiting, 30)).status == ping.Status.HIERARCHY_CHANGED


async def test_switching_a_quirk_off_by_client(api, world):
    phone, newer = world.device(version=V14_1), world.device(version=V16_1, device_id="newer")
    people = find.GalCriterion(query=Element(tag("Find:Query"), "alice"), options=find.Options(range="0-9"))
    request = find.Request(search_id="8B4FA9DD-0B52-4F1B-8B4F-A9DD0B524F1B", execute=find.ExecuteSearch(gal=people))
    assert (await phone.call(FIND, request)).ok
    await api.do("PUT", "/quirks/FIND_AT_14_1", {"on": False})
    assert (await phone.call(FIND, request)).status == CommonStatus.VERSION_NOT_SUPPORTED
    assert (await newer.call(FIND, request)).ok
    await api.do("PUT", "/quirks/FIND_AT_14_1", {"on": None})
    assert (await phone.call(FIND, request)).ok


async def test_a_trace_shows_the_traffic_and_nothing_that_people_wrote(api, world):
    phone, other = world.device(device_id="traced"), world.device(device_id="other")
    await phone.folders()
    shown = await administer(world, "device", "trace", world.address("alice"), "traced", "--on", "--minutes", "5")
    assert shown == "" or "written down" in shown
    path = f"/users/{world.address('alice')}/devices/traced/trace"
    for _ in range(100):
        await phone.call(FOLDER_SYNC, FIRST)
        if (await api.ask("GET", path))[0] == 200:
            break
        await asyncio.sleep(0.05)
    await other.call(FOLDER_SYNC, FIRST)
    text = await api.do("GET", path)
    assert "<FolderSync" in text
    assert "<SyncKey>0</SyncKey>" in text
    assert "HTTP 200" in text
    assert "Inbox" not in text
    assert PASSWORD not in text
    assert "Basic" not in text
    assert " other " not in text
    await api.do("PUT", path, {"on": False})
    before = await api.do("GET", path)
    await phone.call(FOLDER_SYNC, folder_sync.Request(sync_key="0"))
    assert await api.do("GET", path) == before
    assert before in await administer(world, "device", "trace", world.address("alice"), "traced")


async def test_a_switch_of_the_command_line_reaches_the_server(world):
    phone = world.device()
    assert let_in(await phone.call(FOLDER_SYNC, FIRST))
    await administer(world, "policy", "assign", "strict", "--group", world.address("team"))
    await until(phone, lambda answer: answer.status == CommonStatus.DEVICE_NOT_PROVISIONED)
    await administer(world, "policy", "unassign", "--group", world.address("team"))
    await until(phone, let_in)
