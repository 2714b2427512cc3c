"""The ids, each with a type of its own."""

from typing import NewType

UserId = NewType("UserId", str)
"""An account's name in lower case, as the administrator gave it: `alice@example.com` or `alice`."""
DeviceId = NewType("DeviceId", str)
"""The DeviceId of the query line, up to 32 characters ([MS-ASHTTP] 2.2.1.1.1.1)."""
CollectionId = NewType("CollectionId", str)
"""A folder's ServerId, unique within a user, never used again; "0" is the root ([MS-ASCMD] 2.2.3.30)."""
ItemId = NewType("ItemId", int)
"""An item's number: unique within its collection, never used again, growing with each Add."""
ServerId = NewType("ServerId", str)
"""An item's id on the wire, `<CollectionId>:<ItemId>` ([MS-ASCMD] 2.2.3.166)."""
SyncKey = NewType("SyncKey", str)
"""A collection's or the hierarchy's key; "0" asks for a new start ([MS-ASCMD] 2.2.3.181)."""
Token = NewType("Token", int)
"""A collection's change counter: grows with each change of the collection or of anything in it."""
Revision = NewType("Revision", int)
"""The Token of the change that made an item what it is: not above a Token of the collection read later."""

ROOT = CollectionId("0")
INITIAL_KEY = SyncKey("0")


def server_id(collection: CollectionId, item: ItemId) -> ServerId:
    """The wire form of an item's id."""
    return ServerId(f"{collection}:{item}")


def parse_server_id(text: str) -> tuple[CollectionId, ItemId] | None:
    """The collection and the item that a ServerId names; None where it cannot be one of ours."""
    collection, colon, number = text.partition(":")
    if not (colon and collection and number.isascii() and number.isdecimal() and len(number) <= MAX_ITEM_DIGITS):
        return None
    return CollectionId(collection), ItemId(int(number))


MAX_ITEM_DIGITS = 18
"""More digits than this do not fit the 64-bit numbers that stores count with."""
