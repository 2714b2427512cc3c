"""Who may ask the administration API, and what it makes of what is sent."""

import logging
import re

import pytest

from eas_server.administration import tokens
from eas_server.web.administration.application import MAX_BODY, OPERATIONS
from eas_server.web.administration.operations import PREFIX

HOSTILE = {
    "not JSON": b"{",
    "not UTF-8": b'{"user": "\xff"}',
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "a number": b"1e999",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "an unknown property": b'{"hat": 1}',
    "a wrong type": b'{"user": 5, "password": [], "members": 7, "policy": 8, "on": "yes", "require_tls": "x"}',
}


async def test_only_a_token_opens_it(api):
    assert (await api.ask("GET", "/v1/users")).status == 200
    for wrong in ("", "Bearer", "Bearer ", f"Bearer {api.token}x", f"Basic {api.token}", "Bearer \xff", "bearer x y"):
        answer = await api.ask("GET", "/v1/users", authorization=wrong)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert "eas-server token add" in answer.error["message"]
    assert (await api.ask("GET", "/v1/nowhere", authorization="")).status == 401, "nobody learns what is there"


async def test_a_removed_token_ends_at_once_and_another_begins(api):
    other = tokens.add(api.folder / "tokens", "other")
    assert (await api.ask("GET", "/v1/users", authorization=f"Bearer {other}")).status == 200
    tokens.remove(api.folder / "tokens", "tests")
    assert (await api.ask("GET", "/v1/users")).status == 401
    assert (await api.ask("GET", "/v1/users", authorization=f"Bearer {other}")).status == 200


async def test_a_file_of_tokens_that_others_can_read_opens_nothing(api, caplog):
    (api.folder / "tokens").chmod(0o644)
    assert (await api.ask("GET", "/v1/users")).status == 401
    assert "chmod 600" in caplog.text
    (api.folder / "tokens").chmod(0o600)
    assert (await api.ask("GET", "/v1/users")).status == 200


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"}], ids=str
)
async def test_web_pages_are_refused_even_with_a_token(api, headers):
    answer = await api.ask("DELETE", "/v1/users/alice@example.com", **headers)
    assert (answer.status, answer.error["code"]) == (403, "browser")
    assert await api.store.admin.user("alice@example.com") is not None
    assert "access-control-allow-origin" not in answer.headers


async def test_unknown_paths_and_methods(api):
    for method, path, status in (
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v2/users", 404),
        ("HEAD", "/v1/users", 405),
        ("OPTIONS", "/v1/users", 405),
        ("PUT", "/v1/users", 405),
        ("GET", "/v1/users/../tokens", 404),
    ):
        answer = await api.ask(method, path)
        assert answer.status == status, path
        assert status != 405 or answer.headers["allow"] == "GET, POST"
    assert (await api.ask("PUT", "/v1/users/alice")).headers["allow"] == "DELETE, GET, PATCH"
    assert "openapi.json" in (await api.ask("PUT", "/v1/users/alice")).error["message"]


@pytest.mark.parametrize("octets", HOSTILE.values(), ids=HOSTILE)
async def test_no_body_breaks_an_operation(api, octets):
    for operation in OPERATIONS:
        path = PREFIX + re.sub(r"\{[a-z]+\}", "x@example.com", operation.path)
        if operation.method in ("GET", "DELETE"):
            continue
        answer = await api.ask(operation.method, path, octets=octets, content_type="application/json")
        assert 400 <= answer.status < 500, (operation.name, answer.status, answer.body)
        assert answer.error["message"]
    assert len(await api.get("/v1/users")) == 3


async def test_bodies_are_bounded_and_json(api):
    big = b'{"password": "' + b"x" * MAX_BODY + b'"}'
    assert (await api.ask("PUT", "/v1/users/alice@example.com/password", octets=big)).status == 413
    form = await api.ask(
        "POST", "/v1/users", octets=b'{"user":"eve@example.com"}', content_type="application/x-www-form-urlencoded"
    )
    assert form.status == 415
    assert (await api.ask("POST", "/v1/users", octets=b'{"user":"eve@example.com"}', content_type="")).status == 415
    assert (await api.ask("DELETE", "/v1/users/alice@example.com", {"sure": True})).status == 400
    assert (await api.ask("GET", "/v1/users?all=yes")).error["field"] == "all"


async def test_every_request_is_in_the_log_without_what_is_in_it(api, caplog):
    with caplog.at_level(logging.INFO, "eas_server.administration"):
        await api.do("PUT", "/v1/users/alice@example.com/password", {"password": "hush-hush"}, status=204)
        await api.ask("GET", "/v1/users", authorization="Bearer nonsense")
    first, second = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert (first["who"], first["operation"], first["user"], first["status"]) == (
        "tests",
        "setPassword",
        "alice@example.com",
        204,
    )
    assert (second["who"], second["status"]) == ("", 401)
    written = caplog.text + str([vars(record) for record in caplog.records])
    assert "hush-hush" not in written
    assert api.token not in written
    assert "nonsense" not in written


async def test_a_failure_of_the_server_says_nothing_of_its_inside(api, monkeypatch, caplog):
    async def broken() -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(api.store.admin, "users", broken)
    answer = await api.ask("GET", "/v1/users")
    assert (answer.status, answer.error["code"]) == (500, "bug")
    assert b"secret" not in answer.body
    assert "the secret of the house" in caplog.text
    assert answer.error["request_id"] == answer.headers["request-id"]


async def test_the_description_is_that_of_the_routes(api):
    described = await api.get("/v1/openapi.json")
    assert (described["openapi"], described["info"]["version"]) == ("3.1.0", "1.2.3")
    served = {(method.lower(), route.path) for route in api.app._routes.routes for method in route.methods}
    told = {(method, path) for path, methods in described["paths"].items() for method in methods}
    assert told == served
    names = [one["operationId"] for methods in described["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names)) == len(OPERATIONS) + 1


async def test_the_description_is_whole(api):
    described = await api.get("/v1/openapi.json")
    schemas = described["components"]["schemas"]

    def references(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if "$ref" in value else [])
            for each in value.values():
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    for reference in references(described):
        assert reference.removeprefix("#/components/schemas/") in schemas
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            wanted = set(re.findall(r"\{([a-z]+)\}", path))
            given = {each["name"] for each in one.get("parameters", ()) if each["in"] == "path"}
            assert given == wanted
            assert ("requestBody" in one) == (method in ("post", "put", "patch") and not path.endswith("/retry"))
            assert "401" in one["responses"]


STRANGE = ("\ud800", "\x00", "\u202e", "x" * 100_000, "", "\n", "../../etc/passwd", "%00", "ä@ö.example", "' OR 1=1 --")


@pytest.mark.parametrize("text", STRANGE, ids=ascii)
async def test_no_text_breaks_an_operation(api, text):
    """Wherever a text can stand: in the body's properties and in the path."""
    names = ("user", "email", "password", "policy", "type", "display_name", "alias", "default", "access")
    for operation in OPERATIONS:
        given = dict.fromkeys(names, text) | {"users": [text], "members": [text], "others": {text: "read"}}
        fields = getattr(operation.body, "__struct_fields__", ())
        body = {name: value for name, value in given.items() if name in fields}
        for value in ("alice@example.com", text.encode("utf-8", "replace").decode()):  # as servers give a path
            path = PREFIX + re.sub(r"\{[a-z]+\}", lambda _, value=value: value, operation.path)
            if operation.method == "DELETE" and value != text:
                continue
            sent = None if operation.body is None else body
            answer = await api.ask(operation.method, path.replace("?", ""), sent)
            assert answer.status < 500, (operation.name, answer.status, answer.body)
    assert len(await api.get("/v1/users")) >= 3
