"""The main dialogue in every version and both forms of the query."""

import asyncio

import pytest

from eas_server.lab.device import MIME, octets_of
from eas_server.model.mail import FolderType
from protocol import schema
from protocol.client import (
    GET_ITEM_ESTIMATE,
    ITEM_OPERATIONS,
    MOVE_ITEMS,
    RESOLVE_RECIPIENTS,
    SEARCH,
    SETTINGS,
    QueryForm,
)
from protocol.codepages import tag
from protocol.commands import (
    get_item_estimate,
    item_operations,
    move_items,
    ping,
    resolve_recipients,
    search,
    settings,
    sync,
)
from protocol.elements import Element
from protocol.items.airsyncbase import BodyPreference, BodyType
from protocol.items.email import Email
from protocol.versions import SUPPORTED, V14_0

VERSIONS = pytest.mark.parametrize("version", SUPPORTED, ids=str)


async def settled(device):
    """Provision and folders, as every device begins."""
    assert await device.provision()
    return await device.folders()


@VERSIONS
@pytest.mark.parametrize("query", QueryForm, ids=lambda form: form.name)
async def test_a_message_goes_from_one_device_to_another(world, version, query):
    alice = world.device("alice", version, query=query, compress=query is QueryForm.BASE64)
    bob = world.device("bob", version, query=query)
    ours, theirs = await settled(alice), await settled(bob)
    await bob.catch_up(theirs[FolderType.INBOX])
    waiting = asyncio.create_task(bob.wait(theirs[FolderType.INBOX]))
    await asyncio.sleep(0.2)
    sent = world.letter("From version to version")
    await alice.send(sent)
    response = await asyncio.wait_for(waiting, 10)
    assert (response.status, response.folders) == (ping.Status.CHANGES, (theirs[FolderType.INBOX],))
    (found,) = (await bob.catch_up(theirs[FolderType.INBOX], options=MIME)).added.values()
    assert octets_of(found).endswith(sent)
    assert found.subject == "From version to version"
    assert not found.read
    (kept,) = (await alice.catch_up(ours[FolderType.SENT_ITEMS], options=MIME)).added.values()
    assert octets_of(kept) == sent


@VERSIONS
async def test_what_a_device_asks_for_beside_sync(world, version):
    """Estimate, fetch, move, search, resolve."""
    alice = world.device("alice", version)
    folders = await settled(alice)
    inbox, bin_ = folders[FolderType.INBOX], folders[FolderType.DELETED_ITEMS]
    for number in range(3):
        await alice.send(world.letter(f"zebra {number}", to="alice"), save=False)
    await alice.round(inbox)
    assert await _estimate(alice, inbox) == 3
    news = await alice.catch_up(inbox)
    assert await _estimate(alice, inbox) == 0
    server_id = next(id_ for id_, found in news.added.items() if found.subject == "zebra 1")
    assert (await _fetched(alice, inbox, server_id)).subject == "zebra 1"
    assert await _found_by_search(alice, "zebra", inbox) == 3
    moved = (
        await alice.call(
            MOVE_ITEMS,
            move_items.Request(
                moves=(move_items.Move(source_id=server_id, source_folder=inbox, destinations=(bin_,)),)
            ),
        )
    ).take()
    (outcome,) = moved.responses
    assert outcome.status is move_items.Status.SUCCESS
    gone = (await alice.catch_up(inbox)).commands
    assert [type(each) for each in gone] == [sync.Delete]
    assert set((await alice.catch_up(bin_)).added) == {outcome.target_id}
    assert await _resolved(alice, world.address("bob")) == world.address("bob")
    assert world.address("carol") in await _found_in_directory(alice, world.address("carol"))


async def _estimate(device, collection_id):
    version = device.client.version
    collection = get_item_estimate.Collection(
        item_class="Email" if version < V14_0 else None,
        collection_id=collection_id,
        sync_key=device.client.sync_keys[collection_id],
        filter_type=0 if version < V14_0 else None,
        options=(sync.Options(filter_type=0),) if version >= V14_0 else (),
    )
    answer = await device.call(GET_ITEM_ESTIMATE, get_item_estimate.Request(collections=(collection,)))
    (response,) = answer.take().responses
    assert response.status is get_item_estimate.Status.SUCCESS
    return response.collection.estimate


async def _fetched(device, collection_id, server_id):
    fetch = item_operations.Fetch(
        store=item_operations.MAILBOX,
        collection_id=collection_id,
        server_id=server_id,
        options=item_operations.FetchOptions(body_preferences=(BodyPreference(type=BodyType.PLAIN),)),
    )
    answer = await device.call(ITEM_OPERATIONS, item_operations.Request(operations=(fetch,)))
    (fetched,) = answer.take().responses.fetched
    assert fetched.status == item_operations.Status.SUCCESS
    return schema.load(Email, Element(tag("AirSync:ApplicationData"), fetched.properties.content))


async def _found_by_search(device, words, collection_id):
    query = Element(
        tag("Search:Query"),
        [
            Element(
                tag("Search:And"),
                [
                    Element(tag("AirSync:Class"), "Email"),
                    Element(tag("AirSync:CollectionId"), collection_id),
                    Element(tag("Search:FreeText"), words),
                ],
            )
        ],
    )
    store = search.Store(name="Mailbox", query=query, options=search.Options(range="0-9"))
    response = (await device.call(SEARCH, search.Request(store=store))).take()
    return _store_of(response).total


async def _found_in_directory(device, words):
    store = search.Store(name="GAL", query=Element(tag("Search:Query"), words), options=search.Options(range="0-9"))
    response = (await device.call(SEARCH, search.Request(store=store))).take()
    return [
        child.text
        for result in _store_of(response).results
        for child in (result.properties.children if result.properties else ())
        if child.tag is tag("GAL:EmailAddress")
    ]


def _store_of(response):
    assert response.status == search.Status.SUCCESS
    return response.answer.store


async def _resolved(device, name):
    answer = await device.call(RESOLVE_RECIPIENTS, resolve_recipients.Request(to=(name,)))
    (response,) = answer.take().responses
    assert response.status is resolve_recipients.ResponseStatus.RESOLVED
    return response.recipients[0].email_address


@VERSIONS
async def test_settings_tell_and_are_told(world, version):
    alice = world.device("alice", version)
    details = settings.DeviceInformation(details=settings.DeviceDetails(model="Lab", os="Lab 1"))
    user = settings.UserInformation(get=Element(tag("Settings:Get")))
    response = (await alice.call(SETTINGS, settings.Request(properties=(details, user)))).take()
    assert response.status == settings.Status.SUCCESS
    (told,) = [each for each in response.answers if isinstance(each, settings.UserInformationAnswer)]
    emails = told.get.email_addresses or told.get.accounts[0].email_addresses
    assert set(emails.smtp_addresses) == {world.address("alice"), world.address("alice.example")}


async def test_options_names_what_works(world):
    offer = (await world.device().options()).offer
    assert offer.versions == SUPPORTED
    assert {"Sync", "Ping", "SendMail", "FolderSync", "Provision", "ResolveRecipients", "ItemOperations"} <= (
        offer.commands
    )
