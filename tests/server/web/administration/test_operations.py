"""What the operations of the administration API do."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eas_server.interfaces import Forwarding, Submission
from eas_server.model.blob import MemoryBlob
from eas_server.model.device import Device, Wipe
from eas_server.model.ids import DeviceId, UserId

ALICE = "/v1/users/alice@example.com"
PHONE = f"{ALICE}/devices/phone"
SEEN = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
DEVICE = Device(
    user=UserId("alice@example.com"),
    id=DeviceId("phone"),
    type="iPhone",
    version="16.1",
    first_seen=SEEN,
    last_seen=SEEN,
    details={"Model": "iPhone15,2"},
)
PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 20


@pytest.fixture
async def phone(api):
    for device in (DEVICE, replace(DEVICE, id=DeviceId("old"), type="Android", version="12.1")):
        await api.store.state.change_device(device.user, device.id, lambda _, device=device: device)
    return api


async def device(api, name="phone"):
    return await api.store.state.device(DEVICE.user, DeviceId(name))


async def test_a_user_from_begin_to_end(api):
    added = await api.do(
        "POST",
        "/v1/users",
        {
            "user": "Dave",
            "password": "secret of dave",
            "first_name": "Dave",
            "last_name": "Example",
            "addresses": ["david@EXAMPLE.com"],
            "quota_octets": 1000,
            "picture": base64.b64encode(PNG).decode(),
        },
        status=201,
    )
    assert (added["user"], added["email"], added["display_name"]) == ("dave", "dave@example.com", "Dave Example")
    assert (added["addresses"], added["quota_octets"], added["picture_octets"]) == (
        ["david@example.com"],
        1000,
        len(PNG),
    )
    assert (await api.store.authenticator.authenticate("dave", "secret of dave")).user == "dave"
    listed = await api.get("/v1/users")
    assert "dave" in [each["user"] for each in listed]
    changed = await api.do(
        "PATCH",
        "/v1/users/dave",
        {"title": "Engineer", "first_name": "", "eas_enabled": False, "quota_octets": None, "picture": None},
    )
    assert (changed["title"], changed["first_name"], changed["last_name"]) == ("Engineer", "", "Example")
    assert (changed["eas_enabled"], changed["quota_octets"], changed["picture_octets"]) == (False, None, 0)
    assert await api.get("/v1/users/dave") == changed
    await api.do("PUT", "/v1/users/dave/password", {"password": "another"}, status=204)
    assert await api.store.authenticator.authenticate("dave", "secret of dave") is None
    assert (await api.store.authenticator.authenticate("dave", "another")).user == "dave"
    moved = await api.do("PATCH", "/v1/users/dave", {"email": "d@example.com", "addresses": []})
    assert (moved["email"], moved["addresses"]) == ("d@example.com", [])
    await api.do("DELETE", "/v1/users/dave", status=204)
    assert (await api.refused("GET", "/v1/users/dave", status=404))["code"] == "not_found"


WRONG_USERS = {
    "user": ({"user": "a b"}, "user"),
    "colon": ({"user": "a:b"}, "user"),
    "long": ({"user": "x" * 300}, "user"),
    "control": ({"user": "x", "title": "a\nb"}, "title"),
    "long text": ({"user": "x", "title": "x" * 300}, "title"),
    "address": ({"user": "x", "email": "nobody"}, "email"),
    "addresses": ({"user": "x", "addresses": ["a@example.com", "<b>"]}, "addresses[1]"),
    "empty password": ({"user": "x", "password": ""}, "password"),
    "long password": ({"user": "x", "password": "p" * 2000}, "password"),
    "password of lines": ({"user": "x", "password": "a\nb"}, "password"),
    "picture": ({"user": "x", "picture": base64.b64encode(b"GIF89a").decode()}, "picture"),
    "large picture": ({"user": "x", "picture": base64.b64encode(PNG + bytes(200_000)).decode()}, "picture"),
    "no base64": ({"user": "x", "picture": "%%%"}, "picture"),
    "quota": ({"user": "x", "quota_octets": -1}, "quota_octets"),
    "huge quota": ({"user": "x", "quota_octets": 2**63}, "quota_octets"),
    "misspelled": ({"user": "x", "emial": "x@example.com"}, ""),
    "missing": ({}, ""),
}


@pytest.mark.parametrize(("body", "field"), WRONG_USERS.values(), ids=WRONG_USERS)
async def test_users_that_cannot_be(api, body, field):
    error = await api.refused("POST", "/v1/users", body)
    assert (error["code"], error["field"]) == ("invalid", field)
    assert len(await api.get("/v1/users")) == 3
    assert "aaaa" not in error["message"], "no password is repeated"


async def test_what_is_there_already_and_what_is_not(api):
    assert (await api.refused("POST", "/v1/users", {"user": "alice@example.com"}, status=409))["code"] == "conflict"
    taken = {"user": "x", "email": "alice@example.com"}
    assert (await api.refused("POST", "/v1/users", taken, status=409))["code"] == "conflict"
    assert await api.store.admin.user("x") is None
    for method, path, body in (
        ("PATCH", "/v1/users/nobody", {"title": "x"}),
        ("PUT", "/v1/users/nobody/password", {"password": "x"}),
        ("DELETE", "/v1/users/nobody", None),
        ("GET", "/v1/users/nobody/delegates", None),
        ("GET", "/v1/users/nobody/devices", None),
        ("DELETE", "/v1/users/nobody/devices", None),
        ("GET", PHONE, None),
        ("GET", "/v1/groups/nobody@example.com", None),
        ("DELETE", "/v1/groups/alice@example.com", None),
        ("PUT", f"{ALICE}/policy", {"policy": "none"}),
        ("PUT", "/v1/quirks/NONE", {"on": True}),
        ("DELETE", "/v1/queue/7", None),
    ):
        assert (await api.refused(method, path, body, status=404))["code"] == "not_found", path
    assert (await api.refused("GET", "/v1/users/<"))["field"] == "user"
    assert (await api.refused("POST", "/v1/queue/seven/retry"))["field"] == "id"


async def test_delegates_and_calendar_rights(api):
    assert await api.get(f"{ALICE}/delegates") == {"users": [], "only": False}
    wanted = {"users": ["bob@example.com"], "only": True}
    assert await api.do("PUT", f"{ALICE}/delegates", wanted) == wanted
    assert await api.get(f"{ALICE}/delegates") == wanted
    assert "itself" in (await api.refused("PUT", f"{ALICE}/delegates", {"users": ["alice@example.com"]}))["message"]
    assert "nobody" in (await api.refused("PUT", f"{ALICE}/delegates", {"users": [], "only": True}))["message"]
    await api.refused("PUT", f"{ALICE}/delegates", {"users": ["eve@example.com"]}, status=404)
    assert await api.get(f"{ALICE}/calendar-rights") == {"default": "free-busy", "others": {}}
    rights = {"default": "none", "others": {"bob@example.com": "read"}}
    assert await api.do("PUT", f"{ALICE}/calendar-rights", rights) == rights
    rights = {"default": "none", "others": {"carol@example.com": "free-busy"}}
    assert await api.do("PUT", f"{ALICE}/calendar-rights", rights) == rights, "all of them are replaced"
    error = await api.refused("PUT", f"{ALICE}/calendar-rights", {"default": "write"})
    assert error["field"] == "default"


async def test_groups(api):
    team = {
        "email": "team@example.com",
        "display_name": "Team",
        "members": ["alice@example.com", "x@elsewhere.example"],
    }
    made = await api.do("POST", "/v1/groups", team, status=201)
    assert made["people"] == ["alice@example.com", "x@elsewhere.example"]
    await api.refused("POST", "/v1/groups", team, status=409)
    members = {"members": ["bob@example.com", "alice@example.com"]}
    changed = await api.do("PUT", "/v1/groups/team@example.com/members", members)
    assert changed["members"] == ["alice@example.com", "bob@example.com"]
    assert await api.get("/v1/groups") == [changed]
    await api.do("DELETE", "/v1/groups/team@example.com", status=204)
    assert await api.get("/v1/groups") == []


async def test_devices(phone):
    api = phone
    assert [each["device"] for each in await api.get("/v1/devices")] == ["old", "phone"]
    shown = await api.get(PHONE)
    assert (shown["type"], shown["details"], shown["last_seen"]) == (
        "iPhone",
        {"Model": "iPhone15,2"},
        "2026-11-20T08:15:00Z",
    )
    assert (await api.do("PUT", f"{PHONE}/access", {"access": "blocked"}))["access"] == "blocked"
    assert (await api.do("PUT", f"{PHONE}/access", {"access": "allowed"}))["access"] == "allowed"
    await api.refused("PUT", f"{PHONE}/access", {"access": "maybe"})
    await api.do("DELETE", PHONE, status=204)
    assert await device(api) is None
    assert await api.do("DELETE", f"{ALICE}/devices") == {"devices": 1}


async def test_the_recovery_password_is_shown_on_request_only(phone):
    api, path = phone, f"{PHONE}/recovery-password"
    await api.refused("GET", path, status=404)
    await api.store.state.change_device(DEVICE.user, DEVICE.id, lambda was: replace(was, recovery_password="r3covery"))
    assert await api.get(path) == {"recovery_password": "r3covery"}
    assert "r3covery" not in str(await api.get("/v1/devices"))


async def test_what_was_assigned_goes_with_the_user(api):
    await api.do("PUT", f"{ALICE}/policy", {"policy": "staff"})
    await api.do("DELETE", ALICE, status=204)
    await api.do("POST", "/v1/users", {"user": "alice@example.com"}, status=201)
    assert await api.get(f"{ALICE}/policy") == {"policy": "default", "switched": None}


async def test_wipes(phone):
    api = phone
    assert (await api.do("POST", f"{PHONE}/wipe", {}))["wipe"] == "pending"
    assert (await api.refused("DELETE", f"{PHONE}/wipe?account_only=true", status=409))["code"] == "conflict"
    assert (await api.refused("DELETE", f"{PHONE}/wipe?account_only=perhaps"))["field"] == "account_only"
    assert (await api.do("DELETE", f"{PHONE}/wipe"))["wipe"] == "none"
    wiped = await api.do("POST", f"{PHONE}/wipe", {"account_only": True})
    assert (wiped["wipe"], wiped["wipe_account_only"]) == ("pending", True)
    assert (await api.do("DELETE", f"{PHONE}/wipe?account_only=true"))["wipe"] == "none"
    await api.refused("POST", f"{ALICE}/devices/old/wipe", {"account_only": True}, status=409)
    assert (await device(api, "old")).wipe is Wipe.NONE
    listed = await api.do("POST", f"{ALICE}/wipes", {"type": "android"})
    assert [(each["device"], each["wipe"]) for each in listed] == [("old", "pending")]
    assert (await device(api)).wipe is Wipe.NONE
    await api.refused("POST", f"{ALICE}/wipes", {"type": "toaster"}, status=404)


async def test_policies_go_by_user_then_by_group_then_by_default(api):
    await api.do("POST", "/v1/groups", {"email": "board@example.com", "members": ["alice@example.com"]}, status=201)
    await api.do("POST", "/v1/groups", {"email": "all@example.com", "members": ["board@example.com"]}, status=201)
    assert (await api.get(f"{ALICE}/policy")) == {"policy": "default", "switched": None}
    await api.do("PUT", "/v1/groups/all@example.com/policy", {"policy": "board"})
    assert (await api.get(f"{ALICE}/policy"))["policy"] == "board", "nested groups count"
    assert (await api.get("/v1/users/bob@example.com/policy"))["policy"] == "default"
    members = {"members": ["alice@example.com", "bob@example.com"]}
    await api.do("PUT", "/v1/groups/board@example.com/members", members)
    assert (await api.get("/v1/users/bob@example.com/policy"))["policy"] == "board", "at once"
    assigned = await api.do("PUT", f"{ALICE}/policy", {"policy": "staff"})
    assert assigned == {"policy": "staff", "switched": "staff"}
    listed = {each["name"]: each for each in await api.get("/v1/policies")}
    assert (listed["board"]["groups"], listed["staff"]["users"]) == (["all@example.com"], ["alice@example.com"])
    assert (listed["board"]["strict"], listed["default"]["is_default"]) == (True, True)
    assert (await api.do("PUT", f"{ALICE}/policy", {"policy": None}))["policy"] == "board"
    await api.do("PUT", "/v1/groups/all@example.com/policy", {"policy": None})
    assert (await api.get(f"{ALICE}/policy"))["policy"] == "default"


async def test_require_tls(api):
    assert await api.get("/v1/require-tls") == {"require_tls": False, "configured": False}
    assert (await api.do("PUT", "/v1/require-tls", {"require_tls": True}))["require_tls"] is True
    assert api.in_force.live.web.require_tls is True
    assert (await api.do("PUT", "/v1/require-tls", {"require_tls": None}))["require_tls"] is False


async def test_quirks(api):
    listed = {each["name"]: each for each in await api.get("/v1/quirks")}
    assert listed["FIND_AT_14_1"]["on"] is True
    switched = await api.do("PUT", "/v1/quirks/FIND_AT_14_1", {"on": False})
    assert (switched["on"], switched["switched"]) == (False, False)
    assert api.in_force.live.web.settings.quirks["FIND_AT_14_1"].on is False
    back = await api.do("PUT", "/v1/quirks/FIND_AT_14_1", {"on": None})
    assert (back["on"], back["switched"]) == (True, None)


async def test_the_queue(api):
    forwarding = Forwarding(sender="alice@example.com", recipients=("x@elsewhere.example",), content=MemoryBlob(b"x"))
    for _ in range(2):
        await api.store.submission.submit(
            Submission(user=DEVICE.user, source=None, deliveries=(), forwarding=forwarding, now=SEEN)
        )
    first, second = await api.get("/v1/queue")
    assert (first["recipients"], first["octets"], first["attempts"]) == (["x@elsewhere.example"], 1, 0)
    await api.do("POST", f"/v1/queue/{first['id']}/retry", status=204)
    await api.do("DELETE", f"/v1/queue/{second['id']}", status=204)
    assert [each["id"] for each in await api.get("/v1/queue")] == [first["id"]]


async def test_a_trace_is_switched(phone):
    api = phone
    begun = await api.do("PUT", f"{PHONE}/trace", {"on": True, "minutes": 5})
    until = datetime.fromisoformat(begun["trace_until"])
    assert timedelta(minutes=4) < until - datetime.now(UTC) <= timedelta(minutes=5)
    assert (await api.refused("GET", f"{PHONE}/trace", status=404))["code"] == "not_found"
    await api.traces.write(await device(api), "what was asked\n")
    answer = await api.ask("GET", f"{PHONE}/trace")
    assert (answer.headers["content-type"], answer.body) == ("text/plain; charset=utf-8", b"what was asked\n")
    assert (await api.do("PUT", f"{PHONE}/trace", {"on": False}))["trace_until"] is None
    for minutes in (0, -1, 10**9):
        assert (await api.refused("PUT", f"{PHONE}/trace", {"on": True, "minutes": minutes}))["field"] == "minutes"
