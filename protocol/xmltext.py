"""Trees as text: XML for people and for the schemas of the protocol documents, and a line format for fixtures.

    to_xml(root)          readable XML; octets as base64, marked as such
    to_schema_xml(root)   the XML that the schemas describe
    dump(root)            a line for each element: `  AirSync:SyncKey "0"`
    undump(text)          the tree of a dump

Only WBXML travels; nothing here is read from a client or sent to one.
"""

import base64
import json
import re
from collections.abc import Iterator
from xml.sax.saxutils import escape

from protocol.codepages import tag
from protocol.elements import Buffer, Element, Inline, Octets, Opaque, size_of

_INDENT = "  "
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_RETURN = {"\r": "&#13;"}  # a reader of XML takes a bare one for a line feed
_OPAQUE = "opaque"
_COMMENT = "#"


def to_xml(root: Element, *, pretty: bool = True, max_text: int | None = None) -> str:
    """Readable XML. The root's namespace is the default one; the others' prefixes are their names in lower case.

    Opaque content stands as base64, in an element that says so: `opaque="base64"`. Octets that are not in memory leave
    the element empty, with their number in `octets="…"`. Characters that XML cannot hold become U+FFFD. With `pretty`
    each element starts a line; `max_text` (characters) cuts longer texts and says how much is missing.
    """
    if pretty:
        return "".join(f"{_INDENT * depth}{markup}\n" for depth, markup in _markup(root, True, max_text))
    return "".join(markup for _, markup in _markup(root, True, max_text))


def to_schema_xml(root: Element) -> bytes:
    """The XML, in UTF-8, that the schemas of the protocol documents describe: no attributes, no added white space.

    Opaque content stands as base64 (the schemas call such elements strings); octets that are not in memory leave the
    element empty. Characters that XML cannot hold become U+FFFD.
    """
    return "".join(markup for _, markup in _markup(root, False, None)).encode()


def _events(root: Element) -> Iterator[tuple[int, Element, bool]]:
    """Every element with its depth, and once more with True where the children of one end. No recursion."""
    stack = [(0, root, False)]
    while stack:
        depth, element, ends = event = stack.pop()
        yield event
        if not ends and element.children:
            stack.append((depth, element, True))
            stack.extend((depth + 1, child, False) for child in reversed(element.children))


def _markup(root: Element, marked: bool, max_text: int | None) -> Iterator[tuple[int, str]]:
    default = root.tag.namespace
    others = sorted({element.tag.namespace for element in root.walk()} - {default})
    declarations = f' xmlns="{default}"' + "".join(f' xmlns:{other.lower()}="{other}"' for other in others)
    for depth, element, ends in _events(root):
        namespace, name = element.tag.namespace, element.tag.name
        if namespace != default:
            name = f"{namespace.lower()}:{name}"
        attributes = declarations if element is root else ""
        if ends:
            yield depth, f"</{name}>"
        elif element.children:
            yield depth, f"<{name}{attributes}>"
        else:
            mark, text = _value(element, max_text)
            attributes += mark if marked else ""
            yield depth, f"<{name}{attributes}>{text}</{name}>" if text else f"<{name}{attributes}/>"


def _value(element: Element, max_text: int | None) -> tuple[str, str]:
    """The mark of a value that is not text, as an attribute, and the value, both ready to stand in XML."""
    content, mark = element.content, ""
    if isinstance(content, (Opaque, Inline)) and not _is_buffer(content.octets):
        return f' octets="{size_of(content.octets)}"', ""
    if isinstance(content, Opaque):
        mark, text = f' {_OPAQUE}="base64"', base64.b64encode(element.octets).decode()
    else:
        text = element.text
    if max_text is not None and len(text) > max_text:
        text = f"{text[:max_text]}… ({len(text) - max_text} more)"
    return mark, escape(_NOT_XML.sub("\ufffd", text), _RETURN)


def _is_buffer(octets: Buffer | Octets) -> bool:
    return isinstance(octets, (bytes, bytearray, memoryview))


def dump(root: Element) -> str:
    """A line for each element, indented by two spaces a level: tag and value.

    A text stands in double quotes, escaped as in JSON. Opaque content follows the word `opaque`: as a quoted text if
    it is UTF-8 without control characters other than tab and line ends, as hexadecimal digits otherwise. Octets that
    are not in memory stand as their number in parentheses, which `undump` does not read.
    """
    lines = []
    for depth, element, ends in _events(root):
        if not ends:
            lines.append(" ".join((f"{_INDENT * depth}{element.tag}", *_words(element))))
    return "\n".join(lines) + "\n"


def _words(element: Element) -> Iterator[str]:
    content = element.content
    if isinstance(content, Opaque):
        yield _OPAQUE
    if isinstance(content, (Opaque, Inline)) and not _is_buffer(content.octets):
        yield f"({size_of(content.octets)} octets)"
    elif isinstance(content, Opaque):
        octets = element.octets
        try:
            text = octets.decode()
        except UnicodeDecodeError:
            text = "\0"
        yield _quoted(text) if all(char.isprintable() or char in "\t\r\n" for char in text) else octets.hex()
    elif element.text:
        yield _quoted(element.text)


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def undump(text: str) -> Element:
    """Read what `dump` writes; empty lines and lines that start with `#` are passed over.

    Raises ValueError for a line that is not of that form, KeyError for a tag that is on no code page.
    """
    open_elements: list[Element] = []
    root = None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith(_COMMENT):
            continue
        element = _undump_line(line.strip(), number)
        depth = (len(line) - len(line.lstrip(" "))) // len(_INDENT)
        if depth > len(open_elements) or (depth == 0) != (root is None):
            raise ValueError(f"line {number} is indented wrongly")
        if root is None:
            root = element
        else:
            parent = open_elements[depth - 1]
            if not isinstance(parent.content, list):
                if parent.content is not None:
                    raise ValueError(f"line {number}: the element above has a value and cannot have child elements")
                parent.content = []
            parent.content.append(element)
        open_elements[depth:] = [element]
    if root is None:
        raise ValueError("a dump without an element")
    return root


def _undump_line(line: str, number: int) -> Element:
    name, _, value = line.partition(" ")
    first, _, rest = value.partition(" ")
    try:
        if first == _OPAQUE:
            return Element(tag(name), Opaque(_unquoted(rest).encode() if rest.startswith('"') else bytes.fromhex(rest)))
        return Element(tag(name), _unquoted(value) if value else None)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None


def _unquoted(quoted: str) -> str:
    if not quoted.startswith('"'):
        raise ValueError("a value stands in double quotes")
    return str(json.loads(quoted))
