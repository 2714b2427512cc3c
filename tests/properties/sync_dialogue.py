"""Devices that sync a mailbox through the real handlers, and an oracle that knows what each of them must be told.

What a device holds of an item is its state and, for each part of it, the Revision that it knows. What is due follows
from that and from the store alone, so that nothing of the engine's own reasoning is repeated here.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eas_server.commands import get_item_estimate, ping, sync
from eas_server.commands.sync import window as whole_window
from eas_server.model.ids import CollectionId, DeviceId, ItemId, parse_server_id
from eas_server.model.mail import Item
from eas_server.render.email import flag_element, flag_from_client
from protocol.commands import get_item_estimate as estimates
from protocol.commands import ping as pings
from protocol.commands.sync import (
    Change,
    ChangeResponse,
    ClientCommands,
    CollectionResponse,
    Collections,
    Conflict,
    Delete,
    DeleteResponse,
    Options,
    Request,
    Response,
    ServerAdd,
    SoftDelete,
    Status,
)
from protocol.commands.sync import Collection as Asked
from protocol.items.email import Email
from protocol.schema import EMPTY, dump, load
from tests.properties.sync_ground import DEVICES, FOLDERS, PARTS, Ground, Snapshot, parts_of, value
from tests.server.commands.support import Bench, check_streamed

UNKNOWN = -1


@dataclass
class Seen:
    """An item as a device has it: the value of each part and the Revision known of it."""

    values: dict[str, Any]
    known: dict[str, int]

    @classmethod
    def of(cls, item: Item, email: Email, parts: Iterable[str]) -> "Seen":
        """What a full item brings."""
        return cls({part: told(email, part) for part in parts}, {part: getattr(item.changed, part) for part in parts})

    def copy(self) -> "Seen":
        return Seen(dict(self.values), dict(self.known))


def told(email: Email, part: str) -> Any:
    """A part as a full item tells it."""
    if part == "verb":
        return email.last_verb_executed
    if part == "categories":
        return email.categories or ()
    return getattr(email, part)


@dataclass
class Held:
    """One folder on one device, as of the key that it presents."""

    key: str = "0"
    items: dict[ItemId, Seen] = field(default_factory=dict)
    remembered: Options = field(default_factory=Options)
    """The Options that the server keeps under the key."""
    whole: bool = False
    """The ConversationMode that it keeps with them."""
    newest: str = "0"
    """The last key that the server gave, whether it arrived or not."""


@dataclass(kw_only=True)
class Ask:
    """What a device asks of one folder."""

    folder: CollectionId
    commands: tuple[Change | Delete, ...] = ()
    window: int | None = None
    get_changes: bool | None = None
    deletes_as_moves: bool | None = None
    options: Options | None = None
    whole: bool | None = None


@dataclass
class Handset:
    """A device."""

    ground: Ground
    bench: Bench
    folders: dict[CollectionId, Held] = field(default_factory=lambda: {folder: Held() for folder in FOLDERS})
    own: dict[tuple[CollectionId, str], set[tuple[ItemId, int]]] = field(default_factory=dict)
    """The Revisions that it made under each key."""
    cached: tuple[Ask, ...] = ()
    cached_keys: tuple[str, ...] = ()
    cached_window: int | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        return parts_of(self.bench.version)

    # ---- requests

    async def start(self, folder: CollectionId, *, lose: bool = False) -> None:
        """Key 0."""
        response = await self._send(Request(collections=Collections(collections=(_asked("0", Ask(folder=folder)),))))
        assert isinstance(response, Response)
        assert response.collections is not None
        (answer,) = response.collections.collections
        assert answer.status == Status.SUCCESS
        assert answer.commands is None
        assert answer.sync_key is not None
        held = self.folders[folder]
        held.newest = answer.sync_key
        self.cached = self.cached_keys = ()
        if not lose:
            self.folders[folder] = Held(key=answer.sync_key, newest=answer.sync_key)

    async def ask(self, *asks: Ask, window: int | None = None, lose: bool = False) -> list[CollectionResponse]:
        """A whole request."""
        await self._started(asks)
        collections = tuple(_asked(self.folders[ask.folder].key, ask) for ask in asks)
        self._remember(asks, window)
        request = Request(collections=Collections(collections=collections), window_size=window)
        return await self._exchange(request, asks, window, lose=lose)

    async def ask_empty(self, *, lose: bool = False) -> list[CollectionResponse]:
        """An empty request, where what it stands for is what this device means."""
        if not self._cache_is_current(self.cached):
            return []
        return await self._exchange(sync.EMPTY_REQUEST, self.cached, self.cached_window, lose=lose)

    async def ask_partial(self, ask: Ask, *, lose: bool = False) -> list[CollectionResponse]:
        """A Partial request that names one folder."""
        await self._started([ask])
        others = tuple(other for other in self.cached if other.folder != ask.folder)
        if not self.cached or not self._cache_is_current(others):
            return []
        order = [each.folder for each in self.cached]
        asks = (*others, ask)
        if ask.folder in order:
            asks = tuple(sorted(asks, key=lambda each: order.index(each.folder)))
        window = self.cached_window
        self._remember(asks, window)
        collection = _asked(self.folders[ask.folder].key, ask)
        request = Request(collections=Collections(collections=(collection,)), partial=EMPTY)
        return await self._exchange(request, asks, window, lose=lose)

    async def race(self, first: Ask, second: Ask, *, take_first: bool) -> None:
        """Two requests under one key at once; one of the answers is lost."""
        await self._started([first])
        before = await self.ground.snapshot()
        after: list[Snapshot] = []
        key = self.folders[first.folder].key

        async def one(ask: Ask) -> Response | None:
            request = Request(collections=Collections(collections=(_asked(key, ask),)))
            response = await self._send(request)
            after.append(await self.ground.snapshot())
            return response

        self.cached = self.cached_keys = ()
        responses = await asyncio.gather(one(first), one(second))
        self._note_writes((first,), before, after[0])
        self._note_writes((second,), after[0], after[1])
        choices = ((first, before, after[0]), (second, after[0], after[1]))
        answers = [_answer_for(first.folder, response) for response in responses]
        chosen = 0 if take_first else 1
        ask, start, end = choices[chosen]
        self._judge(ask, answers[chosen], start, end, lose=False, full=False)
        keys = [answer.sync_key for answer in answers if answer is not None and answer.sync_key is not None]
        held = self.folders[first.folder]
        held.newest = max(held.newest, *keys, key=int)

    async def _started(self, asks: Iterable[Ask]) -> None:
        for ask in asks:
            if self.folders[ask.folder].key == "0":
                await self.start(ask.folder)

    def _remember(self, asks: Sequence[Ask], window: int | None) -> None:
        self.cached = tuple(replace(ask, commands=()) for ask in asks)
        self.cached_keys = tuple(self.folders[ask.folder].key for ask in asks)
        self.cached_window = window

    def _cache_is_current(self, asks: Sequence[Ask]) -> bool:
        keys = dict(zip((ask.folder for ask in self.cached), self.cached_keys, strict=True))
        return bool(asks) and all(self.folders[ask.folder].key == keys[ask.folder] for ask in asks)

    async def _send(self, request: Request) -> Response | None:
        context = await self.bench.context("Sync")
        response = await sync.handle(request, replace(context, now=self.ground.now, settings=self.ground.settings))
        assert response is None or isinstance(response, Response)
        if response is not None and self.ground.validates:
            await check_streamed(response, "Sync", self.bench.version)
        return response

    async def _exchange(
        self, request: Request, asks: Sequence[Ask], window: int | None, *, lose: bool
    ) -> list[CollectionResponse]:
        before = await self.ground.snapshot()
        response = await self._send(request)
        after = await self.ground.snapshot()
        self._note_writes(asks, before, after)
        answers = () if response is None else (response.collections.collections if response.collections else ())
        assert response is None or answers, response
        sent = sum(len(answer.commands.commands) for answer in answers if answer.commands)
        full = sent >= (whole_window(window, self.ground.settings.sync.max_window_size))
        assert sent <= whole_window(window, self.ground.settings.sync.max_window_size)
        for ask in asks:
            self._judge(ask, _answer_for(ask.folder, response), before, after, lose=lose, full=full)
        return list(answers)

    # ---- what must hold of an answer

    def _note_writes(self, asks: Iterable[Ask], before: Snapshot, after: Snapshot) -> None:
        for ask in asks:
            made = self.own.setdefault((ask.folder, self.folders[ask.folder].key), set())
            for command in ask.commands:
                item = _number(command.server_id)
                old, new = before[ask.folder].get(item), after[ask.folder].get(item)
                if old and new and old.revision != new.revision:
                    made.add((item, new.revision))

    def _judge(
        self,
        ask: Ask,
        answer: CollectionResponse | None,
        before: Snapshot,
        after: Snapshot,
        *,
        lose: bool,
        full: bool,
    ) -> None:
        held = self.folders[ask.folder]
        options = ask.options or held.remembered
        whole = held.whole if ask.options is None and ask.whole is None else bool(ask.whole)
        there = after[ask.folder]
        shown = self.ground.shown(there, options, whole=whole)
        result = Held(
            key=held.key,
            items={item: seen.copy() for item, seen in held.items.items()},
            remembered=options,
            whole=whole,
            newest=held.newest,
        )
        if answer is None:
            assert not ask.commands
            if ask.get_changes is not False and not full:
                assert not self.due(result.items, there, shown, whole=whole), (
                    "an empty answer although something is due"
                )
            self.folders[ask.folder] = result  # the Options are remembered all the same
            return
        assert answer.status == Status.SUCCESS, answer
        assert answer.sync_key is not None
        result.key = result.newest = answer.sync_key
        wrote = self._apply_own(ask, answer, result.items, before[ask.folder], there, options)
        commands = answer.commands.commands if answer.commands else ()
        largest = self.ground.settings.sync.max_window_size
        assert len(commands) <= (100 if ask.window is None else whole_window(ask.window, largest))
        assert ask.commands or commands or answer.more_available is not None, "an answer that says nothing"
        self._apply_commands(commands, result.items, there, shown, wrote)
        for item, seen in result.items.items():
            if item in there:
                for part in self.parts:
                    if seen.known[part] >= getattr(there[item].changed, part):
                        assert seen.values[part] == value(there[item], part), (item, part)
        more = answer.more_available is not None
        if ask.get_changes is False:
            assert not commands
            assert not more
        else:
            due = self.due(result.items, there, shown, whole=whole)
            assert more == bool(due) or (more and self.may_go(result.items, shown, whole=whole)), (
                "MoreAvailable is wrong"
            )
        held.newest = answer.sync_key
        if not lose:
            self.folders[ask.folder] = result

    def _apply_own(
        self,
        ask: Ask,
        answer: CollectionResponse,
        items: dict[ItemId, Seen],
        before: Mapping[ItemId, Item],
        after: Mapping[ItemId, Item],
        options: Options,
    ) -> set[tuple[ItemId, str]]:
        """The client's own commands; gives what they really set."""
        responses = answer.responses.responses if answer.responses else ()
        failed = {r.server_id: r.status for r in responses if isinstance(r, (ChangeResponse, DeleteResponse))}
        assert all(status != Status.SUCCESS for status in failed.values())
        assert failed.keys() <= {command.server_id for command in ask.commands}, "a response to nothing"
        own = self.own[ask.folder, self.folders[ask.folder].key]
        wrote: set[tuple[ItemId, str]] = set()
        for command in ask.commands:
            item, status = _number(command.server_id), failed.get(command.server_id)
            if isinstance(command, Delete):
                assert item not in after
                assert (status is None) == (item in before or item in self.folders[ask.folder].items)
                items.pop(item, None)
                continue
            assert (status == Status.NOT_FOUND) == (item not in before)
            if item not in before:
                continue
            assert command.application_data is not None
            email = load(Email, command.application_data)
            wanted = {part: getattr(email, part) for part in PARTS[:3] if getattr(email, part) is not None}
            if "flag" in wanted:
                wanted["flag"] = flag_element(flag_from_client(wanted["flag"]))
            seen = items.get(item)
            if seen is None:
                continue
            clash = any(
                value(before[item], part) != wish
                and getattr(before[item].changed, part) > seen.known.get(part, UNKNOWN)
                and (item, getattr(before[item].changed, part)) not in own
                for part, wish in wanted.items()
                if part in self.parts
            )
            assert (status == Status.CONFLICT) == (clash and options.conflict is not Conflict.CLIENT_WINS), command
            seen.values.update({part: wish for part, wish in wanted.items() if part in self.parts})
            if status == Status.CONFLICT:
                seen.known = dict.fromkeys(self.parts, UNKNOWN)
                assert before[item].revision == after[item].revision
                continue
            for part, wish in wanted.items():
                assert value(after[item], part) == wish
                revision = getattr(after[item].changed, part)
                if revision != getattr(before[item].changed, part):
                    wrote.add((item, part))
                if part in self.parts and (item, revision) in own:
                    seen.known[part] = revision
        return wrote

    def _apply_commands(
        self,
        commands: Iterable[Any],
        items: dict[ItemId, Seen],
        there: Mapping[ItemId, Item],
        shown: Collection[ItemId],
        wrote: Collection[tuple[ItemId, str]],
    ) -> None:
        for command in commands:
            item = _number(command.server_id)
            if isinstance(command, ServerAdd):
                assert item not in items, "an Add of what is held"
                assert item in there
                assert item in shown
                items[item] = Seen.of(there[item], load(Email, command.application_data), self.parts)
                continue
            assert item in items, "told of what is not held"
            if isinstance(command, Delete):
                assert item not in there
                del items[item]
            elif isinstance(command, SoftDelete):
                assert item in there
                assert item not in shown
                del items[item]
            else:
                self._apply_change(command, items[item], there[item], {part for i, part in wrote if i == item})

    def _apply_change(self, command: Change, seen: Seen, item: Item, wrote: Collection[str]) -> None:
        assert command.application_data is not None
        email = load(Email, command.application_data)
        new = Seen.of(item, email, self.parts)
        if email.subject is not None:
            assert any(seen.known[part] == UNKNOWN for part in seen.known) or (
                "verb" in self.parts and item.changed.verb > seen.known["verb"]
            ), "a full Change without need"
            seen.values, seen.known = new.values, new.known
            return
        carried = [part for part in PARTS[:3] if getattr(email, part) is not None]
        assert carried, "a Change of nothing"
        assert not set(carried) & set(wrote), "an echo"
        for part in carried:
            seen.values[part], seen.known[part] = new.values[part], new.known[part]

    # ---- what is due

    def due(
        self,
        items: Mapping[ItemId, Seen],
        there: Mapping[ItemId, Item],
        shown: Collection[ItemId],
        *,
        whole: bool,
        aged: bool = True,
    ) -> set[ItemId]:
        """The items that the device has to be told of; `aged`: also those that only left the filter.

        What a conversation lost its hold of may go later, when the limit moves (MS-ASCON_R223).
        """
        shown = set(shown)
        missing = shown - items.keys()
        gone = {item for item in items if item not in there or (aged and not whole and item not in shown)}
        changed = {
            item
            for item in shown & items.keys()
            if any(getattr(there[item].changed, part) > items[item].known[part] for part in self.parts)
        }
        return missing | gone | changed

    def may_go(self, items: Mapping[ItemId, Seen], shown: Collection[ItemId], *, whole: bool) -> bool:
        """Whether something is held that a conversation lost its hold of."""
        return whole and not items.keys() <= set(shown)

    async def ping(self) -> None:
        """A Ping names just the folders that a Sync would bring something for, what ages out apart."""
        folders = tuple(pings.Folder(id=folder, item_class="Email") for folder in FOLDERS)
        context = replace(await self.bench.context("Ping"), now=self.ground.now, stopping=self.ground.stopped)
        response = await ping.handle(pings.Request(heartbeat_interval=60, folders=folders), context)
        news = response.folders or ()
        assert (response.status is pings.Status.CHANGES) == bool(news)
        there = await self.ground.snapshot()
        for folder, held in self.folders.items():
            if held.newest == "0":
                assert folder not in news
            elif held.newest == held.key:
                shown = self.ground.shown(there[folder], held.remembered, whole=held.whole)
                due = self.due(held.items, there[folder], shown, whole=held.whole, aged=False)
                late = self.may_go(held.items, shown, whole=held.whole)  # it may have changed
                assert (folder in news) == bool(due) or late, (folder, due)

    async def estimate(self, folder: CollectionId) -> None:
        """An estimate is not below what is due."""
        held = self.folders[folder]
        if held.key == "0":
            return
        filter_type = held.remembered.filter_type or 0
        asked = estimates.Collection(
            sync_key=held.key,
            collection_id=folder,
            options=(Options(filter_type=filter_type),),
            conversation_mode=held.whole,
        )
        context = replace(await self.bench.context("GetItemEstimate"), now=self.ground.now)
        response = await get_item_estimate.handle(estimates.Request(collections=(asked,)), context)
        (answer,) = response.responses
        assert answer.status == estimates.Status.SUCCESS
        assert answer.collection is not None
        there = (await self.ground.snapshot())[folder]
        shown = self.ground.shown(there, Options(filter_type=filter_type), whole=held.whole)
        assert answer.collection.estimate >= len(self.due(held.items, there, shown, whole=held.whole))

    async def settle(self, folder: CollectionId, window: int | None = None) -> None:
        """Ask until nothing is left: the device has what the filter shows; asking on costs a look at the Token."""
        ask = Ask(folder=folder, window=window)
        for _ in range(200):
            if not await self.ask(ask):
                break
        else:
            raise AssertionError("the answers do not end")
        await self._is_cheap(ask)
        held = self.folders[folder]
        there = (await self.ground.snapshot())[folder]
        shown = self.ground.shown(there, held.remembered, whole=held.whole)
        assert held.items.keys() >= shown
        assert held.whole or held.items.keys() == shown
        for number, seen in held.items.items():
            assert seen.values == {part: value(there[number], part) for part in self.parts}

    async def _is_cheap(self, ask: Ask) -> None:
        key = self.folders[ask.folder].key
        self.ground.watched.calls.clear()
        assert await self._send(Request(collections=Collections(collections=(_asked(key, ask),)))) is None
        assert set(self.ground.watched.calls) <= {"tokens"}, "an unchanged folder costs more than its Token"


def _asked(key: str, ask: Ask) -> Asked:
    return Asked(
        sync_key=key,
        collection_id=ask.folder,
        deletes_as_moves=ask.deletes_as_moves,
        get_changes=ask.get_changes,
        window_size=ask.window,
        options=() if ask.options is None else (ask.options,),
        conversation_mode=ask.whole,
        commands=ClientCommands(commands=ask.commands) if ask.commands else None,
    )


def _answer_for(folder: CollectionId, response: Response | None) -> CollectionResponse | None:
    found = response.collections.collections if response is not None and response.collections else ()
    return next((answer for answer in found if answer.collection_id == folder), None)


def _number(server_id: str) -> ItemId:
    parsed = parse_server_id(server_id)
    assert parsed is not None
    return parsed[1]


def change_command(folder: CollectionId, item: ItemId, email: Email) -> Change:
    """A client's Change."""
    return Change(server_id=f"{folder}:{item}", application_data=dump(email))


def handsets(ground: Ground) -> dict[str, Handset]:
    """A device of each version of `DEVICES`, by its name."""
    return {
        name: Handset(ground, replace(ground.bench, device_id=DeviceId(name), version=version))
        for name, version in DEVICES.items()
    }
