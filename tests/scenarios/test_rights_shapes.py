"""Rights management, [MS-ASRM]: requests of the wrong shape get the Status that the documents name; a reload."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from protocol import wbxml
from protocol.client import ITEM_OPERATIONS, SEND_MAIL, SYNC, Command, compose
from protocol.codepages import tag
from protocol.commands import item_operations, sync
from protocol.elements import Element
from protocol.schema import EMPTY, dump
from protocol.status import CommonStatus
from tests.scenarios.guarded import (
    BLIND,
    CONFIDENTIAL,
    OPEN,
    READS,
    Person,
    email_in,
    fetch_options,
    guarded_server,
    person,
)
from tests.scenarios.server import Server, World, fill

Q = TypeVar("Q")
R = TypeVar("R")
SUPPORT = tag("RightsManagement:RightsManagementSupport")
TEMPLATE = tag("RightsManagement:TemplateID")
REMOVE = tag("RightsManagement:RemoveRightsManagementProtection")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with rights management, for this module."""
    running = guarded_server(tmp_path_factory.mktemp("guarded"))
    running.open(partial(fill, worlds=12))
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log


@pytest.fixture
async def world(guarded: Server) -> AsyncIterator[World]:
    """People for one test."""
    made = guarded.world()
    yield made
    await made.close()


def replaced(tree: Element, name: str, *others: Element) -> Element:
    """The tree with other elements in the place of one."""
    children: list[Element] = []
    for child in tree.children:
        children += others if child.tag.name == name else [replaced(child, name, *others) if child.children else child]
    return Element(tree.tag, children)


async def raw_status(who: Person, command: Command[Q, R], tree: Element) -> int | None:
    """The Status of an answer to a tree of any shape; None for the empty answer."""
    client = who.device.client
    line = client.line(command.name)
    response = await who.device.transport.send(client.raw(line, wbxml.encode(tree).join()))
    assert response.status == 200
    return (
        client.read(command, response.status, response.headers, response.body).take().status if response.body else None
    )


@pytest.mark.requirement("MS-ASRM_R126", "MS-ASRM_R300")
@pytest.mark.parametrize(
    "wrong",
    [
        (Element(SUPPORT, "2"),),
        (Element(SUPPORT, "yes"),),
        (Element(SUPPORT, "1" * 100_000),),
        (Element(SUPPORT, [Element(SUPPORT, "1")]),),
        (Element(SUPPORT, "1"), Element(SUPPORT, "1")),
    ],
    ids=["2", "yes", "long", "nested", "twice"],
)
async def test_a_wrong_support(world: World, wrong: tuple[Element, ...]) -> None:
    bob = await person(world, "bob")
    await bob.news(BLIND)
    asked = bob.device.client.collection(bob.inbox, options=READS, get_changes=True)
    tree = dump(sync.Request(collections=sync.Collections(collections=(asked,))))
    assert await raw_status(bob, SYNC, replaced(tree, SUPPORT.name, *wrong)) == sync.Status.PROTOCOL_ERROR
    fetch = item_operations.Fetch(store="Mailbox", server_id=f"{bob.inbox}:1", options=fetch_options())
    tree = dump(item_operations.Request(operations=(fetch,)))
    status = await raw_status(bob, ITEM_OPERATIONS, replaced(tree, SUPPORT.name, *wrong))
    assert status == item_operations.Status.PROTOCOL_ERROR


@pytest.mark.requirement("MS-ASRM_R311", "MS-ASRM_R308")
@pytest.mark.parametrize(
    "wrong",
    [
        (Element(TEMPLATE, CONFIDENTIAL), Element(TEMPLATE, CONFIDENTIAL)),
        (Element(TEMPLATE, [Element(TEMPLATE, CONFIDENTIAL)]),),
    ],
    ids=["twice", "nested"],
)
async def test_a_wrong_template(world: World, wrong: tuple[Element, ...]) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob")
    tree = dump(replace(compose(alice.letter("bob"), "1"), template_id=CONFIDENTIAL))
    assert await raw_status(alice, SEND_MAIL, replaced(tree, TEMPLATE.name, *wrong)) == CommonStatus.INVALID_XML
    assert await bob.news() == {}


@pytest.mark.requirement("MS-ASRM_R92", "MS-ASRM_R282")
async def test_a_wrong_removal(world: World) -> None:
    alice, bob = await person(world, "alice"), await person(world, "bob")
    assert await alice.send(alice.letter("bob"), OPEN) is None
    server_id, _ = await bob.newest()
    fetch = item_operations.Fetch(
        store="Mailbox", server_id=server_id, options=fetch_options(), remove_protection=EMPTY
    )
    tree = dump(item_operations.Request(operations=(fetch,)))
    twice = replaced(tree, REMOVE.name, Element(REMOVE), Element(REMOVE))
    assert await raw_status(bob, ITEM_OPERATIONS, twice) == item_operations.Status.PROTOCOL_ERROR
    shown = email_in((await bob.fetch(server_id=server_id, options=fetch_options())).properties)
    assert shown.rights_management_license is not None


# ---- another configuration while the server runs


async def test_templates_change_without_a_restart(tmp_path: Path) -> None:
    running = guarded_server(tmp_path)
    await asyncio.to_thread(running.open, partial(fill, worlds=1))
    await asyncio.to_thread(running.start)
    world = running.world()
    try:
        alice, bob = await person(world, "alice"), await person(world, "bob")
        assert await alice.send(alice.letter("bob"), OPEN) is None
        server_id, found = await bob.newest()
        assert found.rights_management_license is not None
        text = running.config.read_text()
        first = "[[rights.templates]]"
        running.config.write_text(text.replace(first, f"[rights]\nenabled = false\n{first}", 1))
        assert running._process is not None
        running._process.send_signal(signal.SIGHUP)
        for _ in range(500):
            if await alice.send(alice.letter("bob"), OPEN) == CommonStatus.IRM_FEATURE_DISABLED:
                break
            await asyncio.sleep(0.01)
        shut = email_in((await bob.fetch(server_id=server_id, options=fetch_options())).properties)
        assert shut.rights_management_license is None
    finally:
        await world.close()
        await asyncio.to_thread(running.stop)
