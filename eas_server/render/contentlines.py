"""Content lines: the common ground of vCard and iCalendar (RFC 5545 3.1, RFC 6350 3.3, RFC 6868).

    calendar = parse(octets)
    task = calendar.components("VTODO")[0]
    calendar = calendar.replaced(task, task.with_text("SUMMARY", "Buy milk"))
    octets = dump(calendar)

`dump(parse(octets)) == octets` but for a BOM and blank lines around it: a line that nobody touches goes out as it came,
with its folding, its case, its line end, and whatever stands in it that no document knows. Only lines that are written
anew are folded and escaped here. Values and parameters are texts: octets that are not UTF-8 survive as surrogate
escapes in `value`, and `text` shows them as U+FFFD, without the controls that XML cannot have.
"""

import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, TypeAlias

from eas_server.render import charsets

MAX_OCTETS: Final = 32 * 1024 * 1024
MAX_LINES: Final = 100_000
"""Content lines of one parse, folded lines counted once."""
MAX_DEPTH: Final = 16
"""Components in components; the deepest that the documents know are four."""
_FOLD: Final = 75
"""Octets of a line, its end not counted (RFC 5545 3.1)."""
_QUOTED_PRINTABLE: Final = b"QUOTED-PRINTABLE"

Params: TypeAlias = "tuple[tuple[str, tuple[str, ...]], ...]"
"""Names as written with their values, unquoted; vCard 2.1's `TEL;HOME` is `("TYPE", ("HOME",))`."""


class MalformedLines(ValueError):
    """Octets that are no component: no BEGIN, an END that does not fit, or beyond a bound."""


@dataclass(frozen=True, slots=True)
class Property:
    """One content line. Names compare without regard to case; a line that cannot be read has the name ""."""

    name: str
    value: str
    """As it stands on the line, still escaped."""
    params: Params = ()
    group: str = ""
    """The part before the dot: `item1` of `item1.TEL` (vCard)."""
    octets: bytes | None = field(default=None, compare=False, repr=False)
    """The line as it came, folded and with its end; None: made here."""

    def is_named(self, name: str) -> bool:
        return self.name.upper() == name.upper()

    def all_of(self, name: str) -> tuple[str, ...]:
        """All values of a parameter, in order."""
        wanted = name.upper()
        return tuple(value for key, values in self.params if key.upper() == wanted for value in values)

    def param(self, name: str) -> str | None:
        """The first value of a parameter; None where there is none."""
        if not self.params:
            return None
        wanted = name.upper()
        return next((values[0] for key, values in self.params if values and key.upper() == wanted), None)

    @property
    def types(self) -> frozenset[str]:
        """The values of TYPE in lower case, also of `TYPE="home,work"`."""
        short = self.octets is not None and len(self.octets) <= _SHORT
        return _remembered_types(self.params) if short else _types(self.params)

    @property
    def text(self) -> str:
        """The value as one text, unescaped."""
        plain = self.value if not self.params else self.decoded
        return clean(unescape(plain) if "\\" in plain else plain)

    @property
    def texts(self) -> tuple[str, ...]:
        """The value as a list of texts (CATEGORIES); empty for an empty value."""
        value = self.decoded
        return tuple(clean(unescape(part)) for part in split_value(value, ",")) if value else ()

    @property
    def parts(self) -> tuple[str, ...]:
        """The value as components of a structured value (N, ADR, ORG); what a component lists is joined by ", "."""
        return tuple(map(_joined, split_value(self.decoded, ";")))

    @property
    def decoded(self) -> str:
        """The value out of vCard 2.1's quoted-printable, still escaped."""
        if (self.param("ENCODING") or "").upper() != "QUOTED-PRINTABLE":
            return self.value
        octets = binascii.a2b_qp(self.value.encode("utf-8", "surrogateescape"))
        plain = charsets.decode(octets, charsets.codec(self.param("CHARSET") or "utf-8"))
        return plain.replace("\r\n", "\\n").replace("\n", "\\n")

    def with_value(self, value: str) -> "Property":
        """The same property with another value (escaped already), parameters and group kept."""
        kept = tuple(p for p in self.params if not _encodes(p))
        return Property(self.name, value, kept, self.group)

    def with_text(self, text: str) -> "Property":
        return self.with_value(escape(text))

    def with_param(self, name: str, *values: str) -> "Property":
        """The same property with a parameter set; without `values` it is taken away."""
        kept = tuple(p for p in self.params if p[0].upper() != name.upper())
        return Property(self.name, self.value, (*kept, (name, values)) if values else kept, self.group)


def _types(params: Params) -> frozenset[str]:
    values = (value for key, held in params if key.upper() == "TYPE" for value in held)
    return frozenset(each.strip().lower() for value in values for each in value.split(","))


_SHORT: Final = 200
"""Octets of a line whose types are remembered: most lines share a few, and strangers write long ones."""
_remembered_types = lru_cache(maxsize=1024)(_types)


def _joined(part: str) -> str:
    if "\\" not in part and "," not in part:
        return clean(part)
    entries = [clean(unescape(entry)) for entry in split_value(part, ",")]
    return entries[0] if len(entries) == 1 else ", ".join(entry.strip() for entry in entries)


def _encodes(param: tuple[str, tuple[str, ...]]) -> bool:
    """Whether a parameter tells how vCard 2.1 wrote the old value."""
    name = param[0].upper()
    return name == "CHARSET" or (name == "ENCODING" and any(v.upper() == "QUOTED-PRINTABLE" for v in param[1]))


@dataclass(frozen=True, slots=True)
class Component:
    """`BEGIN:name` to `END:name`. The changing methods give a new one and leave every other line as it is."""

    name: str
    contents: "tuple[Property | Component, ...]" = ()
    begin: bytes | None = field(default=None, compare=False, repr=False)
    end: bytes | None = field(default=None, compare=False, repr=False)
    """The first and last line as they came; None: made here."""

    def is_named(self, name: str) -> bool:
        return self.name.upper() == name.upper()

    @property
    def properties(self) -> tuple[Property, ...]:
        return tuple(c for c in self.contents if isinstance(c, Property))

    def all(self, name: str) -> tuple[Property, ...]:
        """The properties of a name, in order."""
        wanted = name.upper()
        return tuple(c for c in self.contents if isinstance(c, Property) and c.name.upper() == wanted)

    def first(self, name: str) -> Property | None:
        wanted = name.upper()
        return next((c for c in self.contents if isinstance(c, Property) and c.name.upper() == wanted), None)

    def text(self, name: str) -> str | None:
        """The text of the first property of a name; None where there is none."""
        found = self.first(name)
        return None if found is None else found.text

    def components(self, name: str) -> "tuple[Component, ...]":
        wanted = name.upper()
        return tuple(c for c in self.contents if isinstance(c, Component) and c.name.upper() == wanted)

    def replaced(self, old: "Property | Component", *new: "Property | Component") -> "Component":
        """`old` (the very object) gives way to `new`: none, one, or several."""
        contents: list[Property | Component] = []
        for held in self.contents:
            contents += new if held is old else (held,)
        return replace(self, contents=tuple(contents))

    def with_added(self, *new: "Property | Component") -> "Component":
        """With more properties, behind the last one, and components at the end."""
        fresh = [n for n in new if isinstance(n, Property)]
        last = max((at for at, c in enumerate(self.contents) if isinstance(c, Property)), default=-1) + 1
        inner = [n for n in new if isinstance(n, Component)]
        return replace(self, contents=(*self.contents[:last], *fresh, *self.contents[last:], *inner))

    def without(self, wanted: "Callable[[Property | Component], bool]") -> "Component":
        """Without everything that `wanted` says yes to."""
        return replace(self, contents=tuple(c for c in self.contents if not wanted(c)))

    def with_property(self, new: Property) -> "Component":
        """`new` stands where the first property of its name stood; the others of the name go."""
        held = self.all(new.name)
        if not held:
            return self.with_added(new)
        others = {id(other) for other in held[1:]}
        return self.replaced(held[0], new).without(lambda c: id(c) in others)

    def without_property(self, name: str) -> "Component":
        return self.without(lambda c: isinstance(c, Property) and c.is_named(name))

    def with_text(self, name: str, text: str | None) -> "Component":
        """Set the text of a property, or take it away; a line that says the same already stays as it is."""
        if text is None:
            return self.without_property(name) if self.first(name) is not None else self
        held = self.first(name)
        if held is None:
            return self.with_added(Property(name, escape(text)))
        return self if held.text == text else self.replaced(held, held.with_text(text))


# ---- reading


def parse(octets: bytes) -> Component:
    """The component that `octets` hold. Raises MalformedLines for none, for more than one, and beyond the bounds."""
    found = parse_all(octets)
    if len(found) != 1:
        raise MalformedLines(f"{len(found)} components where one belongs")
    return found[0]


def parse_all(octets: bytes) -> tuple[Component, ...]:
    """All components of a file, one after the other (an export of many vCards)."""
    if len(octets) > MAX_OCTETS:
        raise MalformedLines(f"more than {MAX_OCTETS} octets")
    done: list[Component] = []
    open_: list[_Open] = []
    for number, line in enumerate(_lines(octets.removeprefix(b"\xef\xbb\xbf"))):
        if number >= MAX_LINES:
            raise MalformedLines(f"more than {MAX_LINES} lines")
        read = _property(line)
        name = read.name.upper()
        if name == "BEGIN":
            if len(open_) == MAX_DEPTH:
                raise MalformedLines(f"components deeper than {MAX_DEPTH}")
            open_.append((read.value.strip(), line, []))
        elif not open_:
            if line.strip():
                raise MalformedLines("a line outside of a component")
        elif name == "END":
            ended = _ended_by(open_.pop(), read, line)
            (open_[-1][2] if open_ else done).append(ended)
        else:
            open_[-1][2].append(read)
    if open_:
        raise MalformedLines("a component without END")
    return tuple(done)


_Open: TypeAlias = "tuple[str, bytes, list[Property | Component]]"


def _ended_by(begun: _Open, end: Property, line: bytes) -> Component:
    name, begin, contents = begun
    if name.upper() != end.value.strip().upper():
        raise MalformedLines("an END that does not fit its BEGIN")
    return Component(name, tuple(contents), begin, line)


_LINE: Final = re.compile(rb"[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)")


def _lines(octets: bytes) -> Iterable[bytes]:
    """The content lines, each with its folds and its end."""
    lines: list[bytes] = _LINE.findall(octets)
    lines.pop()  # the empty one at the very end
    return _with_soft_breaks(lines) if _QUOTED_PRINTABLE in octets.upper() else lines


def _with_soft_breaks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, those of vCard 2.1 put together whose quoted-printable value goes on."""
    held: list[bytes] = []
    for line in lines:
        if held and not _goes_on(held):
            yield b"".join(held)
            held = []
        held.append(line)
    if held:
        yield b"".join(held)


def _goes_on(held: list[bytes]) -> bool:
    """Whether a quoted-printable value of vCard 2.1 goes on in the next line, which has no mark at its beginning."""
    if not held[-1].rstrip(b"\r\n").endswith(b"="):
        return False
    return _QUOTED_PRINTABLE in held[0].partition(b":")[0].upper()


_FOLDED: Final = re.compile(rb"\r?\n[ \t]")
_HEAD: Final = re.compile(r"(?:([A-Za-z0-9-]+)\.)?([A-Za-z0-9_-]+)(?=[;:])")
_PARAM: Final = re.compile(r";[ \t]*([^=:;\",]*)(=?)")
_PARAM_VALUE: Final = re.compile(r'"([^"]*)"|([^":;,]*)')


def _property(line: bytes) -> Property:
    unfolded = line if line.count(b"\n") == 1 else _FOLDED.sub(b"", line)
    text = unfolded.decode("utf-8", "surrogateescape").rstrip("\r\n")
    head = _HEAD.match(text)
    if head is None:
        return Property("", text, octets=line)
    at = head.end()
    params: Params = ()
    if text[at] == ";":
        read = _params(text, at)
        if read is None:
            return Property("", text, octets=line)
        at, params = read
    return Property(head[2], text[at + 1 :], params, head[1] or "", line)


def _params(text: str, at: int) -> tuple[int, Params] | None:
    """The parameters from `at` on and where the colon stands; None for a line that has none."""
    params: list[tuple[str, tuple[str, ...]]] = []
    while at < len(text) and text[at] == ";":
        name = _PARAM.match(text, at)
        if name is None:
            return None
        at = name.end()
        if not name[2]:
            params.append(("TYPE", (name[1],)))
            continue
        values: list[str] = []
        while True:
            value = _PARAM_VALUE.match(text, at)
            if value is None:
                return None
            values.append(_uncaret(value[1] if value[1] is not None else value[2]))
            at = value.end()
            if text[at : at + 1] != ",":
                break
            at += 1
        params.append((name[1], tuple(values)))
    return (at, tuple(params)) if text[at : at + 1] == ":" else None


_CARET: Final = re.compile(r"\^([n'^])")
_CARETS: Final = {"n": "\n", "'": '"', "^": "^"}


def _uncaret(text: str) -> str:
    return _CARET.sub(lambda m: _CARETS[m[1]], text) if "^" in text else text


_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


def unescape(value: str) -> str:
    r"""A text out of its escapes: `\n`, `\N`, `\,`, `\;`, `\\`; a backslash before anything else stays."""
    if "\\" not in value:
        return value
    return _ESCAPE.sub(lambda m: "\n" if m[1] in "nN" else m[1] if m[1] in '\\,;:"' else m[0], value)


def split_value(value: str, separator: str) -> list[str]:
    """Split at the separators that are not escaped; the pieces stay escaped."""
    if "\\" not in value:
        return value.split(separator)
    pieces, start, at = [], 0, 0
    while at < len(value):
        if value[at] == "\\":
            at += 2
            continue
        if value[at] == separator:
            pieces.append(value[start:at])
            start = at + 1
        at += 1
    pieces.append(value[start:])
    return pieces


_UNCLEAN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """A text that XML can hold: line ends as LF, no controls, U+FFFD for octets that were not UTF-8."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNCLEAN.sub(lambda m: "\ufffd" if m[0] >= "\ud800" else "", text)


# ---- writing


def escape(text: str) -> str:
    """A text as the value of a property; controls that no reader takes are left out."""
    text = _UNCLEAN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(",", "\\,").replace(";", "\\;")


def join_texts(texts: Iterable[str], separator: str = ",") -> str:
    """Texts as a list (`,`) or as the components of a structured value (`;`)."""
    return separator.join(map(escape, texts))


def dump(component: Component) -> bytes:
    """The octets of a component."""
    written: list[bytes] = []
    _write(component, written)
    return b"".join(written)


def _write(component: Component, written: list[bytes]) -> None:
    written.append(_ended(component.begin) if component.begin else f"BEGIN:{component.name}\r\n".encode())
    for held in component.contents:
        if isinstance(held, Component):
            _write(held, written)
        else:
            written.append(_ended(held.octets) if held.octets is not None else _line(held))
    written.append(component.end if component.end else f"END:{component.name}\r\n".encode())


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\r\n"


def _line(made: Property) -> bytes:
    head = f"{made.group}.{made.name}" if made.group else made.name
    params = "".join(f";{name}={','.join(map(_param_value, values))}" for name, values in made.params)
    text = f"{head}{params}:{made.value}".replace("\r", "").replace("\n", "\\n")
    return _folded(text.encode("utf-8", "surrogateescape"))


_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f]")


def _param_value(value: str) -> str:
    value = _CONTROLS.sub("", value).replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    return f'"{value}"' if any(sign in value for sign in ":;, ") else value


_CONTINUES: Final = 0x80
_LEAD: Final = 0xC0


def _folded(line: bytes) -> bytes:
    pieces, start, room = [], 0, _FOLD
    while len(line) - start > room:
        end = start + room
        while end > start + 1 and line[end] & _LEAD == _CONTINUES:
            end -= 1  # no character is cut in two
        pieces.append(line[start:end])
        start, room = end, _FOLD - 1
    pieces.append(line[start:])
    return b"\r\n ".join(pieces) + b"\r\n"
