"""MoveItems, [MS-ASCMD] 2.2.1.12: items from one folder to another, each with a Status of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from eas_server.commands.context import Command, Context
from eas_server.commands.reading import wbxml_reader
from eas_server.errors import NoSuchFolder
from eas_server.model.ids import CollectionId, ItemId, parse_server_id, server_id
from eas_server.model.mail import Folder
from eas_server.sync.hierarchy import is_recipient_cache
from protocol.commands.move_items import MAX_MOVES, Move, Moved, Request, Response, Status
from protocol.errors import MalformedRequest, MalformedXml
from protocol.http import CommandName
from protocol.versions import ProtocolVersion

Route = tuple[CollectionId, CollectionId]
"""From one folder to another."""


@dataclass(frozen=True, slots=True)
class Possible:
    """A Move whose folders are there; whether the item is, the store will tell."""

    route: Route
    item: ItemId


async def handle(request: Request, ctx: Context) -> Response:
    """Move what can be moved; all items that go the same way in one go."""
    _check_shape(request)
    if any(len(move.destinations) > 1 for move in request.moves):
        return Response(status=Status.SEVERAL_DESTINATIONS)
    folders = {folder.id: folder for folder in await ctx.ports.folders.folders(ctx.account.user)}
    decided = [_decide(move, folders) for move in request.moves]
    moved = await _carry_out([step for step in decided if isinstance(step, Possible)], ctx)
    return Response(
        responses=tuple(_answer(move, step, moved) for move, step in zip(request.moves, decided, strict=True))
    )


def _check_shape(request: Request) -> None:
    if not request.moves:
        raise MalformedXml("/MoveItems/Move", "is missing")
    if len(request.moves) > MAX_MOVES:
        raise MalformedXml("/MoveItems/Move", f"more than {MAX_MOVES}")  # MS-ASCMD_R5653
    for move in request.moves:
        if not move.source_id:
            raise MalformedXml("/MoveItems/Move/SrcMsgId", "is empty")
        if not move.destinations:
            raise MalformedXml("/MoveItems/Move/DstFldId", "is missing")


def _decide(move: Move, folders: Mapping[CollectionId, Folder]) -> Possible | Status:
    source = folders.get(CollectionId(move.source_folder))
    target = folders.get(CollectionId(move.destinations[0]))
    place = parse_server_id(move.source_id)
    if source is None or place is None or place[0] != source.id or is_recipient_cache(source):
        return Status.INVALID_SOURCE  # MS-ASCMD_R4206
    if target is None or target.item_class is not source.item_class or is_recipient_cache(target):
        return Status.INVALID_DESTINATION  # MS-ASCMD_R4211; mail does not go among appointments
    if target.id == source.id:
        return Status.SAME_FOLDER
    return Possible((source.id, target.id), place[1])


async def _carry_out(steps: list[Possible], ctx: Context) -> dict[Possible, ItemId]:
    """The new ids of what was moved; each item is moved once, by the first Move that names it."""
    routes: dict[Route, list[ItemId]] = {}
    for step in steps:
        items = routes.setdefault(step.route, [])
        if step.item not in items:
            items.append(step.item)
    moved: dict[Possible, ItemId] = {}
    for route, items in routes.items():
        try:
            new = await ctx.ports.mail.move(ctx.account.user, route[0], items, route[1])
        except NoSuchFolder:  # it went away since the hierarchy was read
            continue
        moved.update({Possible(route, old): target for old, target in new.items()})
    return moved


def _answer(move: Move, step: Possible | Status, moved: dict[Possible, ItemId]) -> Moved:
    """Takes its item out of `moved`: a second Move of the same item finds it gone (MS-ASCMD_R4208)."""
    if isinstance(step, Status):
        return Moved(source_id=move.source_id, status=step)
    new = moved.pop(step, None)
    if new is None:
        return Moved(source_id=move.source_id, status=Status.INVALID_SOURCE)
    return Moved(source_id=move.source_id, status=Status.SUCCESS, target_id=server_id(step.route[1], new))


def refuse(_: MalformedRequest, __: ProtocolVersion) -> None:
    """The documents name no Status of its own for this: 103, or HTTP 400 (MS-ASCMD_R5653)."""
    return None


def fail(status: int, _: ProtocolVersion) -> Response:
    """Only the Status."""
    return Response(status=status)


COMMAND = Command(name=CommandName.MOVE_ITEMS, read=wbxml_reader(Request), handle=handle, refuse=refuse, fail=fail)
