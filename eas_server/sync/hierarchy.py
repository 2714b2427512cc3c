"""The folder hierarchy of a device: pure decisions of FolderSync, FolderCreate, FolderDelete and FolderUpdate.

What a device holds under a key is a mapping from folder id to Revision, in the order of the listing. As with items,
the next view is what it held under the key it presented and what this answer tells it, never the listing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eas_server.model.ids import CollectionId, Revision
from eas_server.model.mail import Folder, FolderType
from eas_server.model.view import HierarchyState
from protocol.versions import V14_0, ProtocolVersion

Held = Mapping[str, Revision]

CREATABLE: Final = frozenset(
    (
        FolderType.USER_GENERIC,
        FolderType.USER_MAIL,
        FolderType.USER_CALENDAR,
        FolderType.USER_CONTACTS,
        FolderType.USER_TASKS,
        FolderType.USER_JOURNAL,
        FolderType.USER_NOTES,
    )
)
"""The types that a client may create (MS-ASCMD_R4654); folders of the other types are the default ones (R4655)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a device has to be told, and what it holds then."""

    added: tuple[Folder, ...]
    """Parents before children."""
    updated: tuple[Folder, ...]
    deleted: tuple[CollectionId, ...]
    """Children before parents, as far as their order was known when they were told."""
    held: Held

    @property
    def count(self) -> int:
        """The number of changes (MS-ASCMD_R2118)."""
        return len(self.added) + len(self.updated) + len(self.deleted)


def visible(folders: Iterable[Folder], version: ProtocolVersion) -> list[Folder]:
    """The folders that a version has, in the order given.

    The recipient information cache does not exist before 14.0 (MS-ASCNTC_R2262). Folders whose content a version
    cannot sync (notes at 12.1) are shown all the same: all folders are returned (MS-ASCMD_R119).
    """
    if version >= V14_0:
        return list(folders)
    return [folder for folder in folders if folder.type is not FolderType.RECIPIENT_INFORMATION_CACHE]


def difference(held: Held, folders: Sequence[Folder]) -> Difference:
    """What to tell a device that holds `held`, where `folders` (parents before children) is what there is."""
    present = {folder.id for folder in folders}
    return Difference(
        added=tuple(folder for folder in folders if folder.id not in held),
        updated=tuple(folder for folder in folders if held.get(folder.id, folder.revision) != folder.revision),
        deleted=tuple(CollectionId(id_) for id_ in reversed(list(held)) if id_ not in present),
        held={folder.id: folder.revision for folder in folders},
    )


def with_created(held: Held, folder: Folder) -> Held:
    """What a device holds that made `folder`."""
    return {**held, folder.id: folder.revision}


def with_updated(held: Held, folder: Folder) -> Held:
    """What a device holds that gave `folder` its name and place.

    One that it does not hold stays unknown to it: the next FolderSync adds it whole.
    """
    return {**held, folder.id: folder.revision} if folder.id in held else held


def with_deleted(held: Held, gone: Iterable[CollectionId]) -> Held:
    """What a device holds that deleted the folders `gone`."""
    dropped = frozenset(gone)
    return {id_: revision for id_, revision in held.items() if id_ not in dropped}


def find(folders: Iterable[Folder], id_: str) -> Folder | None:
    """The folder of that id."""
    return next((folder for folder in folders if folder.id == id_), None)


def is_special(folder: Folder) -> bool:
    """Whether clients may neither rename, move nor delete the folder: the default ones of all classes.

    Folders of unknown type are the users' own.
    """
    return folder.type not in CREATABLE and folder.type is not FolderType.UNKNOWN


def is_recipient_cache(folder: Folder | None) -> bool:
    """Whether the folder is the recipient information cache, under which nothing can be made or moved."""
    return folder is not None and folder.type is FolderType.RECIPIENT_INFORMATION_CACHE


def subtree(folders: Iterable[Folder], top: CollectionId) -> frozenset[CollectionId]:
    """The ids of a folder and of all below it; `folders` has parents before children."""
    found = {top}
    for folder in folders:
        if folder.parent in found:
            found.add(folder.id)
    return frozenset(found)


def same(states: Iterable[HierarchyState], held: Held) -> HierarchyState | None:
    """The state among `states` under which a device holds just `held`: its key can be given again."""
    return next((state for state in states if dict(state.folders) == dict(held)), None)
