"""Which body a client gets, and what has to be read for it ([MS-ASAIRS] 2.2.2.9 to 2.2.2.12).

    plan = choose_body(item, preferences=…, mime_support=…)
    octets = await blob.read(item.content, *plan.read) if plan.read else b""
    properties = email_properties(item, finish(plan, octets).body(), …)

Choosing costs nothing: sizes are known from the index, previews and short plain texts are answered out of it, and a
MIME body is a Slice of the item's content that nobody reads before it is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from eas_server.model.blob import Blob, Slice
from eas_server.model.mail import PREVIEW_LENGTH, Item, MessageIndex, TextPart
from eas_server.render import contents, text
from protocol.elements import Inline
from protocol.items.airsyncbase import (
    Body,
    BodyPart,
    BodyPartPreference,
    BodyPartStatus,
    BodyPreference,
    BodyType,
)

NEVER, SMIME_ONLY, ALWAYS = 0, 1, 2
"""The values of MIMESupport ([MS-ASCMD] 2.2.3.110)."""

_MIME_TRUNCATION: Final = (0, 4096, 5120, 7168, 10_240, 20_480, 51_200, 102_400, None)
"""By value of MIMETruncation ([MS-ASCMD] 2.2.3.111); None: no limit."""

_ENCODED_PER_OCTET: Final = 16
_ENCODED_SLACK: Final = 4096
"""So many encoded octets at most stand for one octet of text in UTF-8 (UTF-32 in quoted-printable has the most)."""

_LIST_FACTOR: Final = 8
"""Links are taken out of so many times the text that a message list asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPlan:
    """What is going to be sent as a body."""

    type: BodyType
    size: int
    """EstimatedDataSize: the octets of the whole, as far as they are known before it is read."""
    index: MessageIndex
    read: tuple[int, int] | None = None
    """The range of the item's content that `finish` needs; None: nothing."""
    limit: int | None = None
    """The octets of UTF-8 (of a MIME body: octets) after which the data end; None: the whole."""
    preview: int | None = None
    withheld: bool = False
    """The data are not sent at all, only how large they are (AllOrNone, a limit of 0, NUL)."""
    content: Blob | None = None
    """The item's content, of a MIME body."""
    part: TextPart | None = None
    """The text part to decode; None: the preview of the index is enough."""
    partial: bool = False
    """`read` ends before the part does."""

    @property
    def weight(self) -> int:
        """About how many octets the body takes in the answer: for the byte budget of a window."""
        if self.withheld:
            return 0
        return self.size if self.limit is None else min(self.size, self.limit)


def choose_body(
    item: Item,
    *,
    preferences: Sequence[BodyPreference],
    mime_support: int = NEVER,
    mime_truncation: int | None = None,
    multipart: bool = False,
) -> BodyPlan:
    """Choose among the client's preferences.

    A MIME body if it is allowed and asked for; else the type that the message has by itself (MS-ASAIRS_R77); else the
    first. A preference with AllOrNone that the content does not fit gives way to the one that returns most (R80); if
    none is left, the first is answered without data (R376). `multipart`: the answer goes as parts, which can hold NUL.
    """
    offered = [
        plan
        for preference in preferences or _without_preferences(item.index, mime_support)
        if (plan := _plan(item, preference, mime_support, mime_truncation, multipart=multipart)) is not None
    ]
    if not offered:
        return _text_plan(item, BodyPreference(type=_native(item.index)))
    native = _native(item.index)
    offered.sort(key=lambda plan: (plan.type is not BodyType.MIME, plan.type is not native))
    if not offered[0].withheld:
        return offered[0]
    fitting = [plan for plan in offered if not plan.withheld]
    return max(fitting, key=lambda plan: plan.weight) if fitting else offered[0]


def choose_body_part(item: Item, preferences: Sequence[BodyPartPreference]) -> BodyPlan | None:
    """Choose the BodyPart; None where none was asked for. Types other than text are not offered (MS-ASAIRS_R324)."""
    for preference in preferences:
        if preference.type in {BodyType.PLAIN, BodyType.HTML}:
            return _text_plan(item, preference)
    return None


def _without_preferences(index: MessageIndex, mime_support: int) -> tuple[BodyPreference, ...]:
    """What a client gets that states none: all of it, as MIME where it asked for that."""
    wanted = BodyType.MIME if _mime_allowed(index, mime_support) else _native(index)
    return (BodyPreference(type=wanted),)


def _native(index: MessageIndex) -> BodyType:
    return BodyType.HTML if index.html is not None else BodyType.PLAIN


def _mime_allowed(index: MessageIndex, mime_support: int) -> bool:
    return mime_support == ALWAYS or (mime_support == SMIME_ONLY and index.smime)


def _plan(
    item: Item, preference: BodyPreference, mime_support: int, mime_truncation: int | None, *, multipart: bool
) -> BodyPlan | None:
    """What a preference would be answered with; None where it cannot be answered (RTF, MIME that is not wanted)."""
    if preference.type is BodyType.RTF:
        return None
    if preference.type is not BodyType.MIME:
        return _text_plan(item, preference)
    if not _mime_allowed(item.index, mime_support):
        return None
    return _mime_plan(item, preference, mime_truncation, multipart=multipart)


def _mime_plan(item: Item, preference: BodyPreference, mime_truncation: int | None, *, multipart: bool) -> BodyPlan:
    """The message as it is.

    An S/MIME message that is cut is of no use to anybody, so a limit that it exceeds is ignored, unless the client
    says that it wants all or nothing, or nothing.
    """
    size = item.content.size
    limit = _smaller(preference.truncation_size, _mime_limit(mime_truncation))
    exceeds = limit is not None and size > limit
    withheld = exceeds and (bool(preference.all_or_none) or limit == 0)
    return BodyPlan(
        type=BodyType.MIME,
        size=size,
        index=item.index,
        limit=None if item.index.smime or not exceeds else limit,
        preview=preference.preview,
        withheld=withheld or (item.index.has_nul and not multipart),  # an inline string ends at the first NUL
        content=item.content,
    )


def _mime_limit(value: int | None) -> int | None:
    return _MIME_TRUNCATION[value] if value is not None and 0 <= value < len(_MIME_TRUNCATION) else None


def _smaller(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)


def _text_plan(item: Item, preference: BodyPreference | BodyPartPreference) -> BodyPlan:
    index = item.index
    html = preference.type is BodyType.HTML
    part = (index.html or index.plain) if html else (index.plain or index.html)
    size = part.size if part is not None and (html or part is index.plain) else index.text_size
    limit = preference.truncation_size
    exceeds = limit is not None and size > limit
    plan = BodyPlan(
        type=preference.type,
        size=size,
        index=index,
        limit=limit,
        preview=preference.preview,
        withheld=exceeds and (bool(preference.all_or_none) or limit == 0),
    )
    converted = part is index.html and not html
    as_plain = converted or part is not index.html
    if plan.withheld or part is None or (as_plain and _preview_is_enough(index, limit)):
        return plan
    start = item.index_offset + part.start
    end = item.index_offset + part.end
    stop = end
    if part.wrapped:
        stop = min(end, start + contents.MAX_CMS)
    elif limit is not None and not converted:
        stop = min(end, start + limit * _ENCODED_PER_OCTET + _ENCODED_SLACK)
    return replace(plan, read=(start, stop), part=part, partial=stop < end)


def _preview_is_enough(index: MessageIndex, limit: int | None) -> bool:
    """Whether the index holds as much plain text as is to be sent."""
    held = text.utf8_size(index.preview)
    return held >= index.text_size or (limit is not None and limit <= held)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedBody:
    """A body that is ready to be sent."""

    type: BodyType
    size: int
    truncated: bool
    data: str | Blob | None
    """None: withheld. A Blob is the MIME, to be sent as it is."""
    preview: str | None = None

    def body(self, *, part: int | None = None) -> Body:
        """As Body; with the number of a `part` of a multipart response instead of the data (MS-ASAIRS_R176, R244).

        Data that are withheld have no part either.
        """
        return Body(
            type=self.type,
            estimated_data_size=self.size,
            truncated=self.truncated,
            data=None if part is not None else self._wire_data(),
            preview=self.preview,
            part=part if self.data is not None else None,
        )

    def body_part(self) -> BodyPart:
        """As BodyPart; one that is withheld is too large (MS-ASAIRS_R272)."""
        return BodyPart(
            status=BodyPartStatus.TOO_LARGE if self.data is None else BodyPartStatus.SUCCESS,
            type=self.type,
            estimated_data_size=self.size,
            truncated=self.truncated,
            data=self._wire_data(),
            preview=self.preview,
        )

    def _wire_data(self) -> str | Inline | None:
        return self.data if self.data is None or isinstance(self.data, str) else Inline(self.data)


def finish(plan: BodyPlan, octets: bytes = b"") -> RenderedBody:
    """Render a body from the octets of `plan.read` (b"" where it names none)."""
    if plan.withheld:
        return RenderedBody(
            type=plan.type, size=plan.size, truncated=True, data=None, preview=_preview(plan, has_data=False)
        )
    if plan.content is not None:
        cut = plan.content if plan.limit is None else Slice(plan.content, 0, plan.limit)
        return RenderedBody(
            type=plan.type,
            size=plan.size,
            truncated=plan.limit is not None,
            data=cut,
            preview=_preview(plan, has_data=True),
        )
    return _finish_text(plan, octets)


def _finish_text(plan: BodyPlan, octets: bytes) -> RenderedBody:
    index = plan.index
    whole = not plan.partial
    if plan.part is None:
        shown = index.preview
        whole = text.utf8_size(shown) >= index.text_size
        is_html = False
    else:
        is_html = plan.part is index.html
        shown = contents.part_text(plan.part, octets, html=is_html)
    if is_html and plan.type is BodyType.PLAIN:
        shown = text.plain_from_html(shown)
    elif not is_html and plan.type is BodyType.HTML:
        shown = text.html_from_plain(shown) if shown else ""
    size = text.utf8_size(shown)
    data = shown if plan.limit is None or size <= plan.limit else _cut(shown, plan)
    return RenderedBody(
        type=plan.type,
        size=size if whole else max(plan.size, size),
        truncated=not whole or data is not shown,
        data=data,
        preview=_preview(plan, has_data=bool(data)),
    )


def _cut(shown: str, plan: BodyPlan) -> str:
    limit = plan.limit or 0
    if plan.type is BodyType.HTML:
        return text.truncate_html(shown, limit)
    if limit <= PREVIEW_LENGTH:  # what a message list shows: link targets and image marks would be all of it
        shown = text.without_links(shown[: limit * _LIST_FACTOR])
    return text.truncate(shown, limit)


def _preview(plan: BodyPlan, *, has_data: bool) -> str | None:
    """The Preview; a plain text with data is its own (MS-ASAIRS_R1001036)."""
    if plan.preview is None or (has_data and plan.type is BodyType.PLAIN):
        return None
    return text.preview(plan.index.preview, plan.preview) or None
