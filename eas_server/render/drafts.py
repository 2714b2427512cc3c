"""Drafts: from the properties that a client sends to a message, and into a message that is stored.

[MS-ASEMAIL] 3.1.5.4 names the properties. A draft that comes as MIME is kept octet by octet. One that is changed by
properties is made anew around what it keeps: the lines of the header that the change does not name, the text where the
change brings none, and each attachment that stays, with its own header.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from eas_server.render import contents, headers, structure, text, writing
from eas_server.render.mime import index_message
from eas_server.render.structure import Part
from protocol.elements import Buffer, Inline, Opaque
from protocol.items.airsyncbase import AddAttachment, Body, BodyType, DeleteAttachment, Method
from protocol.items.email import Email, Importance

MAX_PEOPLE: Final = 2000
"""Addresses of one field: more are not read back."""
CRLF: Final = b"\r\n"

_END: Final = re.compile(rb"\n\r?\n")
_EMPTY_LINE: Final = re.compile(rb"\r?\n")
_LINES: Final = re.compile(rb"[^ \t\r\n][^\n]*(?:\n[ \t][^\n]*)*\n?|[^\n]*\n|[^\n]+\Z")
_SECURED: Final = frozenset({"multipart/signed", "multipart/encrypted"})
_IMPORTANCE_FIELDS: Final = (b"importance", b"x-priority", b"x-msmail-priority", b"priority")
_IMPORTANCE_LINES: Final = {
    Importance.LOW: b"Importance: low\r\nX-Priority: 5\r\n",
    Importance.NORMAL: b"",
    Importance.HIGH: b"Importance: high\r\nX-Priority: 1\r\n",
}


class InvalidDraft(ValueError):
    """Properties that make no message; the item's Status is 6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a new draft has that no client sends."""

    name: str
    address: str
    message_id: str
    """With its angle brackets."""


def names_content(change: Email) -> bool:
    """Whether a Change touches the message itself, and not only its state (Read, Flag, Categories)."""
    return any(
        value is not None
        for value in (
            change.to,
            change.cc,
            change.bcc,
            change.subject,
            change.reply_to,
            change.importance,
            change.body,
            change.attachments,
        )
    )


def new_draft(change: Email, origin: Origin) -> bytes:
    """The message that an Add makes. Raises InvalidDraft."""
    if _is_mime(change.body):
        return changed_draft(b"", change)
    head = [
        writing.people_line("From", writing.mailbox(origin.name, origin.address)),
        b"Message-ID: " + origin.message_id.encode("ascii", "replace") + CRLF,
    ]
    message = _Message(lines=head, content=_Content(plain=writing.text_part("", "plain")))
    message.take_text(change.body)
    return _apply(message, change, remade=True)


def changed_draft(stored: bytes, change: Email, file_number: Callable[[str], int | None] = lambda _: None) -> bytes:
    """The message after a Change; `stored` itself where it says nothing new.

    `file_number`: the number of the attachment that a FileReference names; None: it is gone already. Raises
    InvalidDraft.
    """
    mime = _mime_of(change.body)
    if mime is not None:
        # MS-ASEMAIL_R14900: beside MIME only these; who is written to stands in the MIME
        change = Email(importance=change.importance, attachments=change.attachments)
        message = _Message.read(mime)
        return _apply(message, change, remade=False) if names_content(change) else mime
    message = _Message.read(stored)
    remade = message.take_out(change, file_number)
    remade = message.take_text(change.body) or remade
    return _apply(message, change, remade=remade)


def added_files(change: Email) -> tuple[AddAttachment, ...]:
    """The attachments that a client adds."""
    changes = change.attachments.changes if change.attachments else ()
    return tuple(one for one in changes if isinstance(one, AddAttachment))


def _apply(message: "_Message", change: Email, *, remade: bool) -> bytes:
    message.edit_header(change)
    for file in added_files(change):
        message.attach(file)
        remade = True
    return message.remade() if remade else message.same_content()


def octets_of(data: "str | Opaque | Inline | None") -> bytes:
    """The octets of a Body's Data."""
    if data is None:
        return b""
    if isinstance(data, str):
        return data.encode("utf-8", "surrogateescape")
    assert isinstance(data.octets, Buffer)  # noqa: S101 — what a request holds is in memory
    return bytes(data.octets)


def _is_mime(body: Body | None) -> bool:
    return body is not None and body.type == BodyType.MIME and body.data is not None


def _mime_of(body: Body | None) -> bytes | None:
    if body is None or not _is_mime(body):
        return None
    octets = octets_of(body.data)
    fields, _ = headers.header_block(octets, 0, len(octets))
    if not fields:
        raise InvalidDraft("the MIME does not begin with a header")
    return octets


@dataclass(slots=True, kw_only=True)
class _Content:
    """The parts of a message, each as octets: its header, an empty line, and its content."""

    plain: bytes | None = None
    html: bytes | None = None
    shown: tuple[str, str] = ("", "")
    """What the two say."""
    inline: list[bytes] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)

    def whole(self) -> bytes:
        """One part of all of them."""
        texts = [part for part in (self.plain, self.html) if part is not None]
        inner = writing.multipart("alternative", texts) if len(texts) > 1 else texts[0] if texts else None
        inline, others = (self.inline, self.others) if self.html is not None else ([], [*self.inline, *self.others])
        if inner is None:
            inner = writing.text_part("", "plain")
        if inline:
            inner = writing.multipart("related", [inner, *inline])
        return writing.multipart("mixed", [inner, *others]) if others else inner


@dataclass(slots=True, kw_only=True)
class _Message:
    """A message taken apart."""

    lines: list[bytes]
    """The fields of the header, line ends included."""
    rest: bytes = b""
    """What comes after them, from the empty line on."""
    content: _Content
    secured: bool = False
    """Signed or encrypted as a whole: nothing can be added to it or taken from it."""
    files: list[tuple[bytes, bool]] = field(default_factory=list)
    """The attachments by number, and whether each belongs into the text."""

    @classmethod
    def read(cls, octets: bytes) -> "_Message":
        end = 0 if _EMPTY_LINE.match(octets) else None
        if end is None and (found_end := _END.search(octets)):
            end = found_end.start() + 1
        head, rest = (octets, b"") if end is None else (octets[:end], octets[end:])
        found = structure.scan(octets)
        root = found.root
        secured = root.type in _SECURED or bool(contents.cms_type(root)) or bool(found.broken)
        lines = _LINES.findall(head)
        if lines and not lines[-1].endswith(b"\n"):
            lines[-1] += CRLF
        message = cls(lines=lines, rest=rest or CRLF, content=_Content(), secured=secured)
        if not secured:
            message._read_parts(octets, root)
        return message

    def _read_parts(self, octets: bytes, root: Part) -> None:
        parts = contents.collect(root)
        shown = (_shown(octets, parts.plain), _shown(octets, parts.html))
        self.content.shown = (shown[0] if parts.plain or not parts.html else text.plain_from_html(shown[1]), shown[1])
        self.content.plain = self._part(octets, parts.plain)
        self.content.html = self._part(octets, parts.html)
        self.files = [(self._part(octets, part) or b"", related) for part, related in parts.attached]
        self._sort_files(self.files)

    def _sort_files(self, files: Iterable[tuple[bytes, bool]]) -> None:
        kept = list(files)
        self.content.inline = [part for part, related in kept if related]
        self.content.others = [part for part, related in kept if not related]

    def _part(self, octets: bytes, part: Part | None) -> bytes | None:
        if part is None:
            return None
        if part.header == 0:  # the whole message: its header is more than that of the part
            described = b"".join(line for line in self.lines if _name(line).startswith(b"content-"))
            return described + CRLF + octets[part.start : part.end]
        if part.header == part.start:
            return CRLF + octets[part.start : part.end]
        return octets[part.header : part.end]

    # ---- changes

    def take_out(self, change: Email, file_number: Callable[[str], int | None]) -> bool:
        """Remove the attachments that the change deletes; tells whether there were any."""
        changes = change.attachments.changes if change.attachments else ()
        named = [file_number(one.file_reference) for one in changes if isinstance(one, DeleteAttachment)]
        if (
            self.secured
            and any(number is not None for number in named)
            and (change.body is None or not change.body.data)
        ):
            raise InvalidDraft("an attachment of a message that is signed or encrypted")
        gone = {number for number in named if number is not None and number < len(self.files)}
        if not gone:
            return False
        self._sort_files(file for number, file in enumerate(self.files) if number not in gone)
        return True

    def take_text(self, body: Body | None) -> bool:
        """Put in the text that the change brings; tells whether it is another one."""
        if body is None or body.data is None:
            return False  # MS-ASCMD_R878
        if body.type not in {BodyType.PLAIN, BodyType.HTML}:
            raise InvalidDraft(f"a body of type {body.type}")
        brought = _even(octets_of(body.data).decode("utf-8", "replace"))
        html = body.type == BodyType.HTML
        if not self.secured and brought.rstrip("\n") == self.content.shown[html].rstrip("\n"):
            return False  # it is what the client was sent: what else the message says it in stays
        if self.secured:
            self.secured, self.content, self.files = False, _Content(), []
        self.content.html = writing.text_part(brought, "html") if html else None
        self.content.plain = writing.text_part(text.plain_from_html(brought) if html else brought, "plain")
        return True

    def attach(self, file: AddAttachment) -> None:
        """Add a file."""
        if self.secured:
            raise InvalidDraft("an attachment to a message that is signed or encrypted")
        if file.method is Method.OLE:
            raise InvalidDraft("an attachment that is an OLE object")  # MS-ASAIRS_R1390
        if len(self.content.inline) + len(self.content.others) >= contents.MAX_ATTACHMENTS:
            raise InvalidDraft("too many attachments")
        inline = bool(file.is_inline and file.content_id)
        (self.content.inline if inline else self.content.others).append(writing.file_part(file, inline=inline))

    def edit_header(self, change: Email) -> None:
        """Set what the change names.

        To, Cc and Bcc go together: of somebody taken out of one of them a client may say nothing but the others.
        """
        people = (change.to, change.cc, change.bcc)
        if any(value is not None for value in people):
            for name, value in zip(("To", "Cc", "Bcc"), people, strict=True):
                self._set(name, _people(name, value or ""))
        if change.reply_to is not None:
            self._set("Reply-To", _people("Reply-To", change.reply_to))
        if change.subject is not None:
            self._set("Subject", writing.subject_line(change.subject))
        if change.importance is not None:
            self._set_importance(change.importance)

    def _set(self, name: str, line: bytes) -> None:
        wanted = name.lower().encode()
        at = next((n for n, each in enumerate(self.lines) if _name(each) == wanted), len(self.lines))
        self.lines = [each for each in self.lines if _name(each) != wanted]
        if line:
            self.lines.insert(at, line)

    def _set_importance(self, importance: Importance) -> None:
        present, _ = index_message(b"".join((*self.lines, CRLF)))
        if importance == present.importance:
            return
        self.lines = [each for each in self.lines if _name(each) not in _IMPORTANCE_FIELDS]
        if line := _IMPORTANCE_LINES[importance]:
            self.lines.append(line)

    # ---- back to octets

    def same_content(self) -> bytes:
        """The header, and the content as it was."""
        return b"".join((*self.lines, self.rest))

    def remade(self) -> bytes:
        """The header, and the content of the parts."""
        kept = [
            each for each in self.lines if not _name(each).startswith(b"content-") and _name(each) != b"mime-version"
        ]
        return b"".join((*kept, b"MIME-Version: 1.0\r\n", self.content.whole()))


def _name(line: bytes) -> bytes:
    """The name of a field in lower case; of a line that is none, something that no field is called."""
    name, colon, _ = line.partition(b":")
    return name.strip().lower() if colon else b""


def _people(name: str, value: str) -> bytes:
    found = writing.people(value)
    if len(found) >= MAX_PEOPLE:
        raise InvalidDraft(f"too many addresses in {name}")
    return writing.people_line(name, *found)


def _shown(octets: bytes, part: Part | None) -> str:
    if part is None:
        return ""
    described, _ = contents.text_part(octets, part)
    return _even(text.decode(octets[part.start : part.end], described.encoding, described.charset))


def _even(source: str) -> str:
    """With LF as line end, and without NUL."""
    return source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


__all__: Sequence[str] = [
    "InvalidDraft",
    "Origin",
    "added_files",
    "changed_draft",
    "names_content",
    "new_draft",
    "octets_of",
]
