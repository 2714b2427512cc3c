"""Documents of shares ([MS-ASDOC] 2.2.2; namespace DocumentLibrary): how they are asked for, and what is told of them.

All versions have all of it (MS-ASDOC_R601, R605 and their siblings).
"""

from datetime import datetime
from typing import Final

from protocol.codepages import tag
from protocol.elements import Element
from protocol.schema import el, element, load

STORES: Final = frozenset({"documentlibrary", "document library"})
"""The names of the store, in lower case (MS-ASCMD_R3489, R3491, R4529)."""
MAX_USER_NAME: Final = 100
"""Characters of UserName (MS-ASCMD_R4719, R5399)."""
MAX_PASSWORD_SEARCH: Final = 100
"""MS-ASCMD_R3656."""
MAX_PASSWORD_FETCH: Final = 256
"""MS-ASCMD_R3653."""

_LINK_ID: Final = tag("DocumentLibrary:LinkId")


@element("Search:EqualTo")
class LinkEquals:
    """[MS-ASCMD] 2.2.3.62: `value` is the UNC name (MS-ASDOC_R83). LinkId is there to name the property."""

    link_id: str = el("DocumentLibrary:LinkId")
    value: str = el("Search:Value")


@element("Search:Query")
class DocumentQuery:
    """[MS-ASCMD] 2.2.3.142.2, of a document library: one LinkEquals (MS-ASCMD_R3700). All else is too complex."""

    equals: tuple[LinkEquals, ...] = el(default=())
    ands: tuple[Element, ...] = el("Search:And", default=())
    ors: tuple[Element, ...] = el("Search:Or", default=())
    free_texts: tuple[Element, ...] = el("Search:FreeText", default=())
    greater_than: tuple[Element, ...] = el("Search:GreaterThan", default=())
    less_than: tuple[Element, ...] = el("Search:LessThan", default=())

    @property
    def is_too_complex(self) -> bool:
        """MS-ASCMD_R3139, R3216."""
        return bool(self.ands or self.ors or self.free_texts or self.greater_than or self.less_than)


def document_query(query: Element) -> DocumentQuery | None:
    """The Query of a document library; None where it names no LinkId (MS-ASDOC_R85). Raises MalformedXml."""
    if not any(inner.tag is _LINK_ID for inner in query.walk()):
        return None
    return load(DocumentQuery, query)


@element("Search:Properties")
class DocumentProperties:
    """What is told of a document or a folder, [MS-ASDOC] 2.2.2. `content_length` in octets; a folder has no type."""

    link_id: str = el("DocumentLibrary:LinkId")
    display_name: str = el("DocumentLibrary:DisplayName")
    is_folder: bool = el("DocumentLibrary:IsFolder")
    creation_date: datetime = el("DocumentLibrary:CreationDate")
    last_modified_date: datetime = el("DocumentLibrary:LastModifiedDate")
    is_hidden: bool = el("DocumentLibrary:IsHidden")
    content_length: int = el("DocumentLibrary:ContentLength")
    content_type: str | None = el("DocumentLibrary:ContentType", default=None)
