"""Which client gets which quirk: decided with each request, and for that request alone."""

import asyncio
from dataclasses import replace

from eas_server.model.settings import Settings
from eas_server.web.settings import WebSettings
from eas_server.web.tolerance import Tolerance
from protocol import quirks
from protocol.quirks import NONE_REFUSED, Switch
from tests.server.web.support import PATH, PING, Seen, site

SET_UP = PING.replace("device1", "validate")


def web(**switches: Switch) -> WebSettings:
    return WebSettings(settings=Settings(quirks=switches))


async def test_a_set_up_is_kept_where_the_quirk_is_off() -> None:
    async with site(web=web(VALIDATE_DEVICE_ID=Switch(except_clients=("Broken/*",)))) as there:
        await there.ask(target=SET_UP, User_Agent="Whole/1")
        assert not await there.bench.state.devices()
        await there.ask(target=SET_UP, User_Agent="Broken/1")
        assert len(await there.bench.state.devices()) == 1


async def test_the_request_line_goes_by_user_agent() -> None:
    nobody = f"{PATH}?Cmd=Ping&DeviceId=device1&DeviceType=iPhone"
    async with site(web=web(QUERY_WITHOUT_USER=Switch(clients=("Old/*",)))) as there:
        for _ in range(2):
            assert (await there.ask(target=nobody, User_Agent="Old/1")).status == 200
            assert (await there.ask(target=nobody, User_Agent="New/1")).status == 400


async def test_a_change_holds_for_lines_that_were_read_before() -> None:
    nobody = f"{PATH}?Cmd=Ping&DeviceId=device1&DeviceType=iPhone"
    async with site() as there:
        assert (await there.ask(target=nobody)).status == 200
        there.live.web = replace(there.live.web, settings=Settings(quirks={"QUERY_WITHOUT_USER": Switch(on=False)}))
        assert (await there.ask(target=nobody)).status == 400
        there.live.web = replace(there.live.web, settings=Settings())
        assert (await there.ask(target=nobody)).status == 200


async def test_requests_at_the_same_time_do_not_mix() -> None:
    """Each sees what it may, before and after it waited for the other; and so on a connection that is used again."""
    told: list[tuple[str, bool]] = []
    both = asyncio.Event()

    async def look(_: object, ctx: object) -> None:
        device = ctx.device.id  # type: ignore[attr-defined]
        told.append((device, quirks.tolerates(quirks.FIND_AT_14_1)))
        if len(told) >= 2:
            both.set()
        await both.wait()
        told.append((device, quirks.tolerates(quirks.FIND_AT_14_1)))

    switches = web(FIND_AT_14_1=Switch(except_clients=("Broken*",)))
    broken = PING.replace("iPhone", "Broken1").replace("device1", "device2")
    async with site(web=switches, seen=Seen(answer=look)) as there:
        await asyncio.gather(there.ask(), there.ask(target=broken))
        client = await there.connect()
        for target in (broken, PING, broken):
            await client.ask("POST", target)
    assert set(told) == {("device1", True), ("device2", False)}


def test_what_was_decided_is_remembered_while_it_holds() -> None:
    tolerance = Tolerance()
    switches = {"FIND_AT_14_1": Switch(versions=("16.1",))}
    refused = tolerance.decide(switches, device_type="iPhone", version="14.1")
    assert refused == {"FIND_AT_14_1"}
    assert tolerance.decide(switches, device_type="iPhone", version="14.1") is refused
    for number in range(10_000):
        tolerance.decide(switches, device_type=f"hostile{number}", version="16.1")
    assert len(tolerance._known) < 5_000
    assert tolerance.decide({"FIND_AT_14_1": Switch()}, device_type="iPhone", version="14.1") == NONE_REFUSED
    assert tolerance.decide({}, device_type="iPhone", version="14.1") == NONE_REFUSED
