"""FileReference: what names an attachment on the wire, [MS-ASAIRS] 2.2.2.22.

It says where the attachment stands, and nothing of whose it is: it is looked up in the mailbox of who asks.
"""

from eas_server.model.ids import CollectionId, ItemId, parse_server_id, server_id


def file_reference(collection: CollectionId, item: ItemId, number: int) -> str:
    """The FileReference of the attachment with that number, counted from 0."""
    return f"{server_id(collection, item)}:{number}"


def parse_file_reference(text: str) -> tuple[CollectionId, ItemId, int] | None:
    """What `file_reference` made; None for anything else."""
    item, colon, number = text.rpartition(":")
    found = parse_server_id(item)
    if not colon or found is None or not (number.isascii() and number.isdecimal() and len(number) <= MAX_DIGITS):
        return None
    return (*found, int(number))


MAX_DIGITS = 6
"""More attachments than this many digits can count are in no message."""
