"""The hierarchy of a device: whatever happens, it converges to what there is, and hears nothing twice."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from eas_server.model.ids import ROOT, CollectionId, Revision
from eas_server.model.mail import Folder, FolderType
from eas_server.sync.hierarchy import (
    Difference,
    Held,
    difference,
    is_special,
    subtree,
    visible,
    with_created,
    with_deleted,
    with_updated,
)
from protocol.versions import SUPPORTED, V12_1

REVISIONS = st.integers(1, 5)
TYPES = st.sampled_from(FolderType)


@st.composite
def trees(draw: st.DrawFn) -> list[Folder]:
    """A hierarchy, parents before children."""
    ids = draw(st.lists(st.integers(1, 12), unique=True, max_size=8))
    folders: list[Folder] = []
    for number in ids:
        parent = draw(st.sampled_from([ROOT, *(folder.id for folder in folders)]))
        folders.append(
            Folder(
                id=CollectionId(str(number)),
                parent=parent,
                name=f"folder {number}",
                type=draw(TYPES),
                revision=Revision(draw(REVISIONS)),
            )
        )
    return folders


HELD = st.dictionaries(st.integers(1, 12).map(str), REVISIONS.map(Revision), max_size=8)


def apply(held: Held, told: Difference) -> dict[str, Revision]:
    """What a device holds that does what it is told."""
    now = dict(held)
    for folder in told.added:
        assert folder.id not in now
        assert folder.parent == ROOT or folder.parent in now
        now[folder.id] = folder.revision
    for folder in told.updated:
        assert now[folder.id] != folder.revision
        now[folder.id] = folder.revision
    for id_ in told.deleted:
        del now[id_]
    return now


def held_of(folders: Sequence[Folder]) -> dict[str, Revision]:
    return {folder.id: folder.revision for folder in folders}


@given(HELD, trees())
@settings(max_examples=200)
def test_a_device_holds_what_there_is_afterwards(held: Held, folders: list[Folder]) -> None:
    # a parent that the device holds must still be one: ids are never used again, so what it holds is a subset
    told = difference(held, folders)
    assert apply(held, told) == told.held == held_of(folders)
    assert told.count == len(told.added) + len(told.updated) + len(told.deleted)
    again = difference(told.held, folders)
    assert again.count == 0
    assert again.held == told.held


@given(trees())
def test_an_empty_device_is_told_everything_in_order(folders: list[Folder]) -> None:
    told = difference({}, folders)
    assert list(told.added) == folders
    assert not told.updated
    assert not told.deleted


@given(trees())
def test_an_emptied_hierarchy_is_deleted_from_below(folders: list[Folder]) -> None:
    told = difference(held_of(folders), [])
    parents = {folder.id: folder.parent for folder in folders}
    gone: set[str] = set()
    for id_ in told.deleted:
        assert parents[id_] not in gone
        gone.add(id_)
    assert gone == set(parents)


@given(HELD, trees(), st.data())
def test_its_own_changes_are_not_told(held: Held, folders: list[Folder], data: st.DataObject) -> None:
    if not folders:
        return
    folder = data.draw(st.sampled_from(folders))
    created = with_created({k: v for k, v in held.items() if k != folder.id}, folder)
    assert folder not in (*difference(created, folders).added, *difference(created, folders).updated)
    updated = difference(with_updated(held, folder), folders)
    assert folder not in updated.updated
    assert (folder in updated.added) == (folder.id not in held)
    gone = subtree(folders, folder.id)
    left = [other for other in folders if other.id not in gone]
    assert not gone & set(difference(with_deleted(held, gone), left).deleted)


@given(trees())
def test_a_subtree_is_closed(folders: list[Folder]) -> None:
    for top in folders:
        found = subtree(folders, top.id)
        assert top.id in found
        for folder in folders:
            if folder.id != top.id:
                assert (folder.id in found) == (folder.parent in found)


@given(trees())
def test_what_a_version_sees(folders: list[Folder]) -> None:
    for version in SUPPORTED:
        seen = visible(folders, version)
        hidden = [folder for folder in folders if folder not in seen]
        assert not hidden or version == V12_1
        assert all(is_special(folder) for folder in hidden)
