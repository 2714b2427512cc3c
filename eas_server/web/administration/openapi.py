"""The description of the API (OpenAPI 3.1), made of the operations themselves."""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from eas_server.web.administration.operations import NO_CONTENT, PREFIX, Operation, Text
from eas_server.web.administration.shapes import Problem

_PARAMETER: Final = re.compile(r"\{([a-z]+)\}")
_REFERENCE: Final = "#/components/schemas/{name}"
_FAILURES: Final = {
    "400": "The request is wrong: `field` says where.",
    "401": "No token, or one that is not known.",
    "404": "There is no such thing.",
    "409": "It is there already, or cannot be done as things are.",
    "503": "The store or the directory cannot be reached now.",
}


def describe(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """The description as JSON has it."""
    listed = list(operations)
    types = [Problem, *(each for one in listed for each in (one.body, one.answer) if each not in (None, Text))]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    by_type = {_key(type_): schema for type_, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for one in listed:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _operation(one, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "eas-server administration",
            "version": version,
            "description": "Each request carries `Authorization: Bearer TOKEN`; `eas-server token` makes tokens.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": components,
        },
    }


def _operation(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "tags": [one.tag],
        "responses": {str(one.status): _answer(one, schemas)},
    }
    for status, meaning in _FAILURES.items():
        described["responses"][status] = {"description": meaning, "content": _json(schemas[_key(Problem)])}
    parameters = [_parameter(name, "path", "", required=True) for name in _PARAMETER.findall(one.path)]
    parameters += [_parameter(name, "query", meaning, required=False) for name, meaning in one.query.items()]
    if parameters:
        described["parameters"] = parameters
    if one.body is not None:
        described["requestBody"] = {"required": True, "content": _json(schemas[_key(one.body)])}
    return described


def _answer(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    if one.status == NO_CONTENT:
        return {"description": "Done."}
    if one.answer is Text:
        return {"description": "Done.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    content = {"schema": {"type": "object"}} if one.answer is None else {"schema": schemas[_key(one.answer)]}
    return {"description": "Done.", "content": {"application/json": content}}


def _json(schema: Any) -> dict[str, Any]:  # noqa: ANN401 — a schema as JSON has it
    return {"application/json": {"schema": schema}}


def _parameter(name: str, where: str, meaning: str, *, required: bool) -> dict[str, Any]:
    described = {"name": name, "in": where, "required": required, "schema": {"type": "string"}}
    return {**described, "description": meaning} if meaning else described


def _key(type_: Any) -> str:  # noqa: ANN401 — a type, or a list of one
    return repr(type_)
