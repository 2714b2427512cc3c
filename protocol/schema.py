"""Declare an element once; `load` and `dump` follow.

    @element("Ping:Folder")
    class Folder:
        id: str = el("Ping:Id")
        item_class: str | None = el("Ping:Class", default=None)

A declaration is a frozen, keyword-only dataclass. The order of the fields is the order on the wire; the annotation
gives the form of the value; `X | None` with default None means that the element may be absent.

| annotation | on the wire |
| --- | --- |
| `str`, `int`, `bool`, an `IntEnum`, an `Enum` of strings | text; an empty `bool` is true |
| `datetime` | dashed or compact form, `form=COMPACT` ([MS-ASDTYPE] 2.3, 2.7.2); always aware, UTC |
| `bytes` | base64 text, or OPAQUE with `form=OPAQUE` |
| `Opaque`, `Inline` or a union with `str` | the content as it is, never decoded |
| `Element` | the element itself: the second stage belongs to who knows its class (ApplicationData) |
| a declared class | a child element |
| `tuple[X, ...]` | the element repeated; with `item=` one container and the items in it (absent: None, empty: `()`) |
| `tuple[A | B, ...]` of declared classes | an ordered mixture, told apart by tag |
| `Empty`, alone or in a union | the empty element: EMPTY differs from absent (None) |

Reading skips elements that the declaration does not know (a newer client must not fail) and raises MalformedXml with
the path for missing, repeated or ill-formed ones, and for text that is not UTF-8. Writing leaves out what the protocol
version does not have: by the code pages, unless `since` or `until` say what the documents of the command or class say
otherwise.
"""

import base64
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum, IntEnum
from typing import Any, Final, TypeVar, Union, dataclass_transform

from protocol.codepages import tag as find_tag
from protocol.datatypes import format_compact, format_dashed
from protocol.elements import Content, Element, Inline, Opaque, Tag
from protocol.errors import MalformedXml
from protocol.values import (
    COMPACT,
    DOUBLE,
    OPAQUE,
    Bad,
    Form,
    Load,
    datetimes,
    enum,
    int_enum,
    integers,
    read_base64,
    read_bool,
    read_content,
    read_double,
    read_opaque,
    texts,
)
from protocol.versions import V16_1, ProtocolVersion

__all__ = ["COMPACT", "DOUBLE", "EMPTY", "OPAQUE", "Empty", "dump", "el", "element", "fields_of", "load", "tag_of"]

T = TypeVar("T")


class Empty(Enum):
    """The value of an element that is there without content, for types that have no empty value of their own."""

    EMPTY = ""


EMPTY: Final = Empty.EMPTY


_MISSING: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Declared:
    tag: str | None
    item: str | None
    form: Form
    since: ProtocolVersion | None
    until: ProtocolVersion | None
    minimum: int | None
    maximum: int | None
    max_length: int | None
    repeats: bool
    unique: str | None


def el(
    tag: str | None = None,
    *,
    default: Any = _MISSING,
    item: str | None = None,
    form: Form = Form.DEFAULT,
    since: ProtocolVersion | None = None,
    until: ProtocolVersion | None = None,
    minimum: int | None = None,
    maximum: int | None = None,
    max_length: int | None = None,
    repeats: bool = False,
    unique: str | None = None,
) -> Any:
    """Declare a field.

    `tag`: `Namespace:Name`; may be left out where the annotation is a declared class. `item`: the tag of the items in a
    container. `minimum`, `maximum`: the range of a number. `max_length`: of a text, in characters. `repeats`: a
    repetition is not an error and the first one counts. `unique`: the field in which repeated children have to differ.
    """
    declared = _Declared(
        tag=tag,
        item=item,
        form=form,
        since=since,
        until=until,
        minimum=minimum,
        maximum=maximum,
        max_length=max_length,
        repeats=repeats,
        unique=unique,
    )
    if default is _MISSING:
        return field(metadata={"element": declared})
    return field(default=default, metadata={"element": declared})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(el,))
def element(tag: str, *, ordered: bool = False) -> Callable[[type[T]], type[T]]:
    """Make a class the declaration of the element `Namespace:Name`.

    `ordered`: its fields are in order, also in what is read; those that end with a version (`until`) stand
    anywhere.
    """
    found = find_tag(tag)

    def declare(cls: type[T]) -> type[T]:
        declared = dataclass(frozen=True, slots=True, kw_only=True)(cls)
        declared.__element_tag__ = found  # type: ignore[attr-defined]
        declared.__element_ordered__ = ordered  # type: ignore[attr-defined]
        return declared

    return declare


def tag_of(cls: type) -> Tag:
    """The tag that a declared class stands for."""
    found: Tag = cls.__element_tag__  # type: ignore[attr-defined]
    return found


def load(cls: type[T], root: Element) -> T:
    """Read `root` as `cls`. Raises MalformedXml with the path from the root on."""
    if root.tag != tag_of(cls):
        raise MalformedXml(f"/{root.tag.name}", f"expected {tag_of(cls)}")
    try:
        loaded: T = _binding(cls).load(root)
    except Bad as bad:
        raise MalformedXml("/" + "/".join([root.tag.name, *reversed(bad.path)]), bad.reason) from None
    return loaded


def dump(value: object, version: ProtocolVersion = V16_1) -> Element:
    """The element that `value` declares, as `version` may see it."""
    cls = type(value)
    return Element(tag_of(cls), _binding(cls).dump(value, version))


def fields_of(cls: type) -> tuple[str, ...]:
    """The names of a declaration's fields in the order of the wire. Raises KeyError for a tag that does not exist."""
    return tuple(bound.name for bound in _binding(cls).fields)


Dump = Callable[[Any, ProtocolVersion], Content]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    tags: Mapping[Tag, Load]
    """How to read each element that belongs to the field."""
    write: Callable[[Any, ProtocolVersion], list[Element]]
    many: bool
    required: bool
    since: ProtocolVersion | None
    until: ProtocolVersion | None
    repeats: bool
    unique: str | None
    default: Any

    def in_version(self, version: ProtocolVersion) -> bool:
        if self.since or self.until:
            return (self.since or version) <= version <= (self.until or version)
        return any(version in tag.versions for tag in self.tags)


class _Binding:
    """A declared class, compiled."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        hints = typing.get_type_hints(cls)
        self.fields = [_compile(f, hints[f.name]) for f in fields(cls)]
        self.by_tag = {tag: (f, read) for f in self.fields for tag, read in f.tags.items()}
        self.required = [f for f in self.fields if f.required]
        self.many = [f for f in self.fields if f.many]
        ordered: bool = cls.__element_ordered__  # type: ignore[attr-defined]
        self.places = {f.name: n for n, f in enumerate(self.fields) if f.until is None} if ordered else None
        self.by_version: dict[ProtocolVersion, list[tuple[str, Callable[[Any, ProtocolVersion], list[Element]]]]] = {}

    def load(self, root: Element) -> Any:
        values: dict[str, Any] = {}
        content = root.content
        if isinstance(content, str) and content.strip():
            raise Bad("text where child elements belong")
        last = 0
        for child in root.children:
            found = self.by_tag.get(child.tag)
            if found is not None:
                try:
                    if self.places is not None and found[0].name in self.places:
                        last = _in_order(last, self.places[found[0].name])
                    _take(values, *found, child)
                except Bad as bad:
                    bad.path.append(child.tag.name)
                    raise
        for bound in self.required:
            if bound.name not in values:
                raise Bad("is missing", next(iter(bound.tags)).name)
        for bound in self.many:
            if bound.name in values:
                values[bound.name] = _all_of(bound, values[bound.name])
        return self.cls(**values)

    def dump(self, value: object, version: ProtocolVersion) -> list[Element] | None:
        plan = self.by_version.get(version)
        if plan is None:
            plan = [(f.name, f.write) for f in self.fields if f.in_version(version)]
            self.by_version[version] = plan
        children: list[Element] = []
        for name, write in plan:
            held = getattr(value, name)
            if held is not None:
                children += write(held, version)
        return children or None


def _take(values: dict[str, Any], bound: _Field, read: Load, child: Element) -> None:
    """Put what `child` says where it belongs."""
    if bound.many:
        values.setdefault(bound.name, []).append(read(child))
    elif bound.name not in values:
        values[bound.name] = read(child)
    elif not bound.repeats:
        raise Bad("must not be repeated")


def _in_order(last: int, place: int) -> int:
    if place < last:
        raise Bad("stands in the wrong order")
    return place


def _all_of(bound: _Field, found: list[Any]) -> tuple[Any, ...]:
    if bound.unique is not None and len({getattr(each, bound.unique) for each in found}) < len(found):
        raise Bad(f"repeated with the same {bound.unique}", next(iter(bound.tags)).name)
    return tuple(found)


_bindings: dict[type, _Binding] = {}


def _binding(cls: type) -> _Binding:
    found = _bindings.get(cls)
    if found is None:
        found = _bindings[cls] = _Binding(cls)
    return found


def _compile(bound: Any, hint: Any) -> _Field:
    declared: _Declared = bound.metadata["element"]
    kinds = [k for k in _members(hint) if k is not type(None)]
    many = len(kinds) == 1 and typing.get_origin(kinds[0]) is tuple
    inner = _members(typing.get_args(kinds[0])[0]) if many else kinds
    tags: Mapping[Tag, Load]
    if declared.item is not None and declared.tag is not None:
        tags, write = _container(find_tag(declared.tag), find_tag(declared.item), inner, declared)
        many = False
    elif declared.tag is None or (len(inner) > 1 and all(map(_is_declared, inner))):
        tags, write = _mixture(inner, every=declared.since is not None or declared.until is not None)
        if not many:
            write = _single(write)
    else:
        tags, write = _plain(find_tag(declared.tag), inner, declared, many=many)
    required = bound.default is _dataclass_missing and not many
    return _Field(
        name=bound.name,
        tags=tags,
        write=write,
        many=many,
        required=required,
        since=declared.since,
        until=declared.until,
        repeats=declared.repeats,
        unique=declared.unique,
        default=None if required else bound.default,
    )


_dataclass_missing: Final = field().default


def _members(hint: Any) -> list[Any]:
    if typing.get_origin(hint) in (Union, types.UnionType):
        return list(typing.get_args(hint))
    return [hint]


def _is_declared(kind: Any) -> bool:
    return hasattr(kind, "__element_tag__")


Write = Callable[[Any, ProtocolVersion], list[Element]]


def _plain(tag: Tag, kinds: list[Any], declared: _Declared, *, many: bool) -> tuple[Mapping[Tag, Load], Write]:
    read, put = _codec(kinds, declared)
    if kinds == [Element]:
        return {tag: read}, (lambda v, _: list(v)) if many else (lambda v, _: [v])
    if many:
        return {tag: read}, lambda values, version: [Element(tag, put(v, version)) for v in values]
    return {tag: read}, lambda value, version: [Element(tag, put(value, version))]


def _mixture(kinds: list[Any], *, every: bool) -> tuple[Mapping[Tag, Load], Write]:
    """`every`: the field says which versions it has, so the tags do not."""
    tags = {tag_of(kind): _nested_load(kind) for kind in kinds}
    return tags, lambda values, v: [dump(each, v) for each in values if every or v in tag_of(type(each)).versions]


def _single(write: Write) -> Write:
    return lambda value, version: write((value,), version)


def _container(tag: Tag, item: Tag, kinds: list[Any], declared: _Declared) -> tuple[Mapping[Tag, Load], Write]:
    read, put = _codec(kinds, declared)

    def load_items(root: Element) -> tuple[Any, ...]:
        values = []
        for child in root.children:
            if child.tag != item:
                continue
            try:
                values.append(read(child))
            except Bad as bad:
                bad.path.append(item.name)
                raise
        return tuple(values)

    def write(values: Any, version: ProtocolVersion) -> list[Element]:
        return [Element(tag, [Element(item, put(v, version)) for v in values] or None)]

    return {tag: load_items}, write


def _codec(kinds: list[Any], declared: _Declared) -> tuple[Load, Dump]:
    """How to read and write one value of a field whose annotation has these members."""
    allows_empty = Empty in kinds
    rest = [k for k in kinds if k is not Empty]
    if any(k in (Opaque, Inline) for k in rest):
        return read_content, lambda value, _: value
    if not rest:
        return lambda _: EMPTY, lambda _, __: None
    read, write = _codec_of(rest[0], declared)
    if not allows_empty:
        return read, write
    return (
        lambda e: EMPTY if e.content in (None, "") else read(e),
        lambda value, version: None if value is EMPTY else write(value, version),
    )


def _codec_of(kind: Any, declared: _Declared) -> tuple[Load, Dump]:
    if _is_declared(kind):
        return _nested_load(kind), lambda value, version: _binding(kind).dump(value, version)
    if kind is Element:
        return lambda e: e, lambda value, _: value.content
    if kind is bool:
        return read_bool, lambda value, _: "1" if value else "0"
    if kind is datetime:
        write_instant = format_compact if declared.form is COMPACT else format_dashed
        return datetimes(declared.form), lambda value, _: write_instant(value)
    if kind is bytes:
        return _octets_codec(declared)
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return int_enum(kind), lambda value, _: str(int(value))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return enum(kind), lambda value, _: value.value
    if kind is int:
        return integers(declared.minimum, declared.maximum), lambda value, _: str(value)
    if kind is str:
        return read_double if declared.form is DOUBLE else texts(declared.max_length), lambda value, _: value or None
    raise TypeError(f"{kind!r} has no form on the wire")


def _nested_load(kind: type) -> Load:
    return lambda e: _binding(kind).load(e)


def _octets_codec(declared: _Declared) -> tuple[Load, Dump]:
    if declared.form is OPAQUE:
        return read_opaque, lambda value, _: Opaque(value)
    return read_base64, lambda value, _: base64.b64encode(value).decode("ascii")
