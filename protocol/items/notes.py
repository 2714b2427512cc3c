"""The properties of a note ([MS-ASNOTE] 2.2.2; namespaces Notes, AirSyncBase); 14.0 and later.

`Note` is what ApplicationData holds for a note, in both directions. A field that is None is absent.
"""

from datetime import datetime
from typing import Final

from protocol.items.airsyncbase import Body
from protocol.schema import COMPACT, el, element
from protocol.versions import V14_0

MESSAGE_CLASS: Final = "IPM.StickyNote"
"""MessageClass of a note, or the beginning of one: `IPM.StickyNote.x` (MS-ASNOTE_R57)."""
MAX_CATEGORIES: Final = 300
"""By the schema of Notes."""


@element("AirSync:ApplicationData")
class Note:
    """A note, [MS-ASNOTE] 2.2.2. 12.1 has none of it (MS-ASNOTE_R43001)."""

    subject: str | None = el("Notes:Subject", default=None)
    message_class: str | None = el("Notes:MessageClass", default=None)
    last_modified_date: datetime | None = el("Notes:LastModifiedDate", default=None, form=COMPACT)
    categories: tuple[str, ...] | None = el("Notes:Categories", item="Notes:Category", default=None)
    body: Body | None = el(default=None, since=V14_0)
