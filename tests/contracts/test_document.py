"""Documents of every kind: what is broken is told in a sentence, what is merely odd is read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.api.openapi.comparison import compare
from barrack_mcp.api.openapi.document import Auth, DocumentError, TheirOperation, read
from barrack_mcp.api.openapi.export import export
from barrack_mcp.api.openapi.parsing import MAX_BYTES, parse

SMALL: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/things/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "get_thing",
                "parameters": [{"$ref": "#/components/parameters/Verbose"}],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
                },
            },
        }
    },
    "components": {
        "parameters": {"Verbose": {"name": "verbose", "in": "query", "schema": {"type": "boolean"}}},
        "schemas": {"Thing": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
    },
}
GET = ("paths", "/things/{id}", "get")
THING = ("components", "schemas", "Thing")


def small(**top: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SMALL), **top}


def put(*way: Any) -> Callable[[dict[str, Any]], None]:
    """Break one place of the document."""

    def change(document: Any) -> None:
        *before, last, value = way
        for step in before:
            document = document[step]
        document[last] = value

    return change


def as_bytes(document: Any) -> bytes:
    return json.dumps(document).encode()


LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)

BROKEN_TEXTS = {
    "empty": (b"  \n", "is empty"),
    "not text": (b"\x80\x81", "is not UTF-8 text (byte 0)"),
    "a web page": (b"<!doctype html><html>", "is a web page or XML"),
    "too large": (b" " * (MAX_BYTES + 1), "is larger than 20 MiB"),
    "cut off": (as_bytes(SMALL)[:-40], "is not whole JSON: line 1"),
    "a comma too many": (b'{\n "openapi": "3.0.0",\n}', "is not whole JSON: line 3"),
    "a huge number": (b'{"openapi": ' + b"9" * 5_000 + b"}", "a number that is too long"),
    "bad yaml": (b"openapi: 3.0.0\npaths: [\n", "is neither JSON nor YAML: line"),
    "a control character": (b"openapi: \x01", "is neither JSON nor YAML"),
    "a tab": (b"openapi: 3.0.0\n\tpaths: {}\n", "is neither JSON nor YAML: line 2"),
    "deep json": (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, "is nested more than 100 deep"),
    "very deep json": (b"[" * 200_000, "is nested more than 100 deep"),
    "deep yaml": (b"a: " + b"[" * 500 + b"]" * 500, "is nested more than 100 deep"),
    "aliases that nest": (
        b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [*a%d]\n" % (i, i, i - 1) for i in range(1, 500)),
        "is nested more than 100 deep",
    ),
    "an alias bomb": (LAUGHS.encode(), "unfolds to more than 2,000,000 values"),
    "an alias in itself": (b"a: &a\n  b: *a\n", "line 2: an alias refers to what is not there"),
    "an unknown alias": (b"a: *b\n", "an alias refers to what is not there"),
    "a merge key": (b"a: &a {x: 1}\nb:\n  <<: *a\n", "line 3: a merge key (<<)"),
    "a key that is a list": (b"? [a, b]\n: 1\n", "line 1: a key is no plain word"),
    "two documents": (b"a: 1\n---\nb: 2\n", "line 2: a second document"),
    "a list": (b"[1, 2]", "an object is expected at its top"),
    "a word": (b"hello", "an object is expected at its top"),
}

BROKEN_TOPS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no version": (lambda document: document.pop("openapi"), "openapi, its version, is missing"),
    "swagger 2": (put("swagger", "2.0"), "is a Swagger 2 document"),
    "version 4": (put("openapi", "4.0.0"), "a version that we don't read"),
    "no paths": (lambda document: document.pop("paths"), "paths holds no operation"),
    "paths a list": (put("paths", []), "paths holds no operation"),
    "paths empty": (put("paths", {}), "paths holds no operation"),
}

BROKEN_PLACES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a path without slash": (put("paths", "things", {}), "paths/things does not begin with /"),
    "a path that is text": (put("paths", "/things/{id}", "x"), "paths/\u002fthings/{id} is no object"),
    "an operation that is text": (put(*GET, "x"), "paths//things/{id}/get is no object"),
    "parameters an object": (put(*GET, "parameters", {}), "get/parameters is no list"),
    "a parameter that is text": (put(*GET, "parameters", ["x"]), "get/parameters/0 is no object"),
    "a parameter without name": (put(*GET, "parameters", [{"in": "query"}]), "get/parameters/0/name is missing"),
    "a parameter nowhere": (put(*GET, "parameters", [{"name": "x", "in": "air"}]), "parameters/0/in must be one of"),
    "responses a list": (put(*GET, "responses", []), "get/responses is no object"),
    "a response that is text": (put(*GET, "responses", {"200": "x"}), "get/responses/200 is no object"),
    "a body that is text": (put(*GET, "requestBody", "x"), "get/requestBody is no object"),
    "content a list": (put(*GET, "requestBody", {"content": []}), "get/requestBody/content is no object"),
    "a reference in a circle": (put(*THING, {"$ref": "#/components/schemas/Thing"}), "refers to itself by way of #/"),
    "a reference that is a number": (put(*THING, {"$ref": 3}), "has a reference that is no text"),
    "a schema that is text": (put(*THING, "x"), "is no object"),
    "an unheard-of type": (put(*THING, "type", "thing"), "/type is no type of JSON"),
    "an enum that is text": (put(*THING, "enum", "x"), "/enum is no list"),
    "properties a list": (put(*THING, "properties", []), "/properties is no object"),
    "required is text": (put(*THING, "required", "id"), "/required is no list"),
    "allOf an object": (put(*THING, "allOf", {}), "/allOf is no list"),
    "a field that is text": (put(*THING, "properties", "id", "x"), "properties/id is no object"),
}


def told(raw: bytes) -> str:
    with pytest.raises(DocumentError) as error:
        read(raw, "api.json")
    return str(error.value)


def _one_sentence(text: str) -> bool:
    return text.startswith("api.json") and text.endswith(".") and "\n" not in text and len(text) < 300


@pytest.mark.parametrize(("raw", "words"), BROKEN_TEXTS.values(), ids=BROKEN_TEXTS)
def test_what_is_no_document_is_told_in_one_sentence(raw: bytes, words: str) -> None:
    assert words in told(raw)
    assert _one_sentence(told(raw))


each_form = pytest.mark.parametrize(
    "form", [as_bytes, lambda document: yaml.safe_dump(document).encode()], ids=["json", "yaml"]
)


@pytest.mark.parametrize(("change", "words"), BROKEN_TOPS.values(), ids=BROKEN_TOPS)
@each_form
def test_a_document_with_nothing_to_read_is_told_in_one_sentence(
    change: Callable[[dict[str, Any]], Any], words: str, form: Callable[[Any], bytes]
) -> None:
    document = small()
    change(document)
    assert words in told(form(document))
    assert _one_sentence(told(form(document)))


@pytest.mark.parametrize(("change", "words"), BROKEN_PLACES.values(), ids=BROKEN_PLACES)
@each_form
def test_a_broken_place_is_noted_in_one_sentence_with_where_and_the_rest_is_read(
    change: Callable[[dict[str, Any]], Any], words: str, form: Callable[[Any], bytes]
) -> None:
    document = small()
    document["paths"]["/whole"] = {"get": {"operationId": "whole"}}
    change(document)
    read_from = read(form(document), "api.json")
    assert "whole" in [operation.operation_id for operation in read_from.operations]
    assert [note for note in read_from.notes if words in note]
    assert all(note.endswith(".") and "\n" not in note for note in read_from.notes)


def one(document: Any) -> TheirOperation:
    (operation,) = read(as_bytes(document), "api.json").operations
    return operation


def test_a_small_document_is_read_whole() -> None:
    operation = one(SMALL)
    assert operation.name == "GET /things/{id}"
    assert [(each.name, each.place, each.required) for each in operation.parameters] == [
        ("id", "path", True),
        ("verbose", "query", False),
    ]
    assert operation.answer is not None
    assert (set(operation.answer.fields), operation.answer.required) == ({"id"}, frozenset({"id"}))


def test_json_and_yaml_say_the_same() -> None:
    document = export()
    written = yaml.safe_dump(document, sort_keys=False).encode()
    assert parse(written, "x").value == json.loads(as_bytes(document))
    assert read(written, "x").operations == read(as_bytes(document), "x").operations
    assert compare(read(written, "x")).same


def test_yaml_is_read_as_json_would_be() -> None:
    text = b"""
        a: NO
        b: 2024-01-01
        c: 0x10
        d: 1e3
        200: ok
        e: !!str 5
        f: "7"
        g: ~
        h: &x {i: true}
        j: *x
        k: !python/object:os.system 1
        l: .inf
        m: -3
        n: 1.5
        """
    assert parse(text, "x").value == {
        "a": "NO",
        "b": "2024-01-01",
        "c": "0x10",
        "d": 1000.0,
        "200": "ok",
        "e": "5",
        "f": "7",
        "g": None,
        "h": {"i": True},
        "j": {"i": True},
        "k": "1",
        "l": ".inf",
        "m": -3,
        "n": 1.5,
    }


def test_a_key_that_stands_twice_is_noted() -> None:
    assert parse(b'{"a": 1, "a": 2}', "x").notes == parse(b"a: 1\na: 2\n", "x").notes
    assert "«a» stands twice" in parse(b"a: 1\na: 2\n", "x").notes[0]
    assert parse(b"{a: 1}", "x").value == {"a": 1}


@pytest.mark.parametrize(
    ("schema", "fields", "required"),
    [
        ({"allOf": [{"$ref": "#/components/schemas/A"}, {"properties": {"y": {}}, "required": ["y"]}]}, "xy", "xy"),
        ({"oneOf": [{"$ref": "#/components/schemas/A"}, {"properties": {"x": {}, "z": {}}}]}, "xz", ""),
        ({"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]}, "x", "x"),
        ({"$ref": "#/components/schemas/B"}, "x", "x"),
        ({"$ref": "#/components/schemas/Tree"}, "ct", ""),
        ({"$ref": "#/components/schemas/Gone"}, "", ""),
        ({"$ref": "other.yaml#/A"}, "", ""),
        ({"$ref": "#/x-list/1"}, "x", "x"),
        ({"$ref": "#/x-list/7"}, "", ""),
        ({"$ref": "#/paths/~1things~1%7Bid%7D/get/x"}, "", ""),
        ({"type": "array", "items": {"$ref": "#/components/schemas/A"}}, "x", "x"),
        ({"type": ["object", "null"], "properties": {"q": True}}, "q", ""),
        ({"properties": {"q": {"type": "string", "required": True}}, "required": False}, "q", ""),
        (True, "", ""),
    ],
)
def test_references_merges_unions_and_circles_come_to_plain_fields(schema: Any, fields: str, required: str) -> None:
    document = small()
    document["x-list"] = [None, {"$ref": "#/components/schemas/A"}]
    document["paths"]["x-note"] = "no path"
    document["components"]["schemas"] |= {
        "A": {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
        "B": {"$ref": "#/components/schemas/C", "description": "beside"},
        "C": {"$ref": "#/components/schemas/A"},
        "Tree": {
            "properties": {
                "t": {"$ref": "#/components/schemas/Tree"},
                "c": {"items": {"$ref": "#/components/schemas/Tree"}},
            }
        },
    }
    document["paths"]["/things/{id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] = schema
    answer = one(document).answer
    assert answer is not None
    assert (set(answer.row.fields), answer.row.required) == (set(fields), frozenset(required))


def test_what_is_left_out_is_noted_with_its_place() -> None:
    document = small()
    del document["components"]
    notes = read(as_bytes(document), "api.json").notes
    assert any("get/parameters/0 refers to #/components/parameters/Verbose, which is not in" in note for note in notes)
    document = small()
    document["paths"]["/elsewhere"] = {"$ref": "paths.yaml#/a"}
    assert "paths/\u002felsewhere refers to another file, which is not read." in read(as_bytes(document), "x").notes


@pytest.mark.parametrize(
    ("content", "form", "fields"),
    [
        ({"application/json": {"schema": {"properties": {"a": {}}}}, "multipart/form-data": {}}, False, "a"),
        ({"application/vnd.api+json; charset=utf-8": {"schema": {"properties": {"a": {}}}}}, False, "a"),
        ({"*/*": {"schema": {"properties": {"a": {}}}}}, False, "a"),
        ({"application/x-www-form-urlencoded": {"schema": {"properties": {"f": {}}}}}, True, "f"),
        ({"multipart/form-data": {}}, True, ""),
        ({"text/plain": {}}, False, None),
        ({}, False, None),
    ],
)
def test_a_body_is_read_in_its_json_form_where_it_has_one(content: Any, form: bool, fields: str | None) -> None:  # noqa: FBT001 - a row of the table
    document = small()
    document["paths"]["/things/{id}"]["post"] = {"requestBody": {"content": content}}
    operation = read(as_bytes(document), "x").operations[1]
    assert operation.form is form
    assert (set(operation.body.fields) if operation.body else None) == (None if fields is None else set(fields))


@pytest.mark.parametrize(
    ("responses", "known"),
    [
        ({"201": {"content": {"application/json": {"schema": {"properties": {"a": {}}}}}}}, {"a"}),
        ({"default": {"content": {"application/json": {"schema": {"properties": {"d": {}}}}}}}, {"d"}),
        ({"204": {"description": "none"}}, set()),
        ({"404": {}}, None),
        (None, None),
    ],
)
def test_the_answer_is_that_of_the_first_success(responses: Any, known: set[str] | None) -> None:
    document = small()
    document["paths"]["/things/{id}"]["get"]["responses"] = responses
    answer = one(document).answer
    assert (set(answer.fields) if answer else None) == known


@pytest.mark.parametrize(
    ("servers", "url", "prefix"),
    [
        ([{"url": "https://x.example/api/"}], "https://x.example/api", ""),
        ([{"url": "/api/v2/"}], None, "/api/v2"),
        ([{"url": "https://{region}.example"}], None, ""),
        ([{"url": "https://["}], None, ""),
        ([{"url": 3}], None, ""),
        (["x"], None, ""),
        ({}, None, ""),
        ([], None, ""),
    ],
)
def test_the_server_is_a_whole_address_a_prefix_or_nothing(servers: Any, url: str | None, prefix: str) -> None:
    document = read(as_bytes(small(servers=servers)), "x")
    assert (document.url, document.prefix) == (url, prefix)


@pytest.mark.parametrize(
    ("schemes", "security", "auth"),
    [
        ({"a": {"type": "http", "scheme": "Bearer"}}, None, Auth("Authorization", "Bearer {key}")),
        ({"a": {"type": "apiKey", "in": "header", "name": "X-K"}}, None, Auth("X-K", "{key}")),
        (
            {"a": {"type": "http", "scheme": "basic"}, "b": {"type": "apiKey", "in": "header", "name": "X-K"}},
            [{"a": []}],
            Auth("X-K", "{key}"),
        ),
        (
            {
                "tokenAuth": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": 'Token-based authentication with required prefix "Token"',
                }
            },
            [{"cookieAuth": []}, {}],
            Auth("Authorization", "Token {key}"),
        ),
        ({"a": {"type": "apiKey", "in": "query", "name": "k"}}, None, None),
        ({"a": {"type": "apiKey", "in": "header"}}, None, None),
        ({"a": "x"}, "y", None),
        ([], None, None),
    ],
)
def test_the_way_the_key_travels_is_read(schemes: Any, security: Any, auth: Auth | None) -> None:
    document = small(security=security)
    document["components"]["securitySchemes"] = schemes
    assert read(as_bytes(document), "x").auth == auth


def test_a_schema_that_branches_without_end_is_read_in_good_time() -> None:
    document = small()
    document["components"]["schemas"]["Thing"] = {
        "properties": {f"p{n}": {"$ref": f"#/components/schemas/T{n}"} for n in range(20)}
    }
    for n in range(20):
        document["components"]["schemas"][f"T{n}"] = {
            "properties": {f"q{m}": {"$ref": f"#/components/schemas/T{m}"} for m in range(20)}
        }
    answer = one(document).answer
    assert answer is not None
    assert len(answer.fields) == 20


def test_a_document_of_far_too_many_operations_is_told_so() -> None:
    paths: Any = {f"/p{number}": {"get": {}, "put": {}} for number in range(2_600)}
    assert "more than 5000 operations" in told(as_bytes(small(paths=paths)))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab$/", max_size=4), inner, max_size=3),
    max_leaves=8,
)


def _places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in [(*way, key), *_places(inner, (*way, key))]]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(_places(SMALL)), JUNK)
def test_junk_anywhere_is_either_read_or_told(place: tuple[Any, ...], junk: Any) -> None:
    document = small()
    put(*place, junk)(document)
    problem = ""
    try:
        compare(read(as_bytes(document), "api.json"))
    except DocumentError as error:
        problem = str(error)
    assert not problem or _one_sentence(problem)


def test_what_is_only_answered_is_not_asked_for_and_what_is_only_asked_for_is_not_read() -> None:
    """One schema often serves both ways, as `drf-spectacular` writes it."""
    row = {
        "type": "object",
        "required": ["id", "state", "label", "secret"],
        "properties": {
            "id": {"type": "string", "readOnly": True},
            "state": {"allOf": [{"$ref": "#/components/schemas/State"}], "readOnly": True},
            "label": {"type": "string"},
            "secret": {"type": "string", "writeOnly": True},
        },
    }
    content = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Row"}}}}
    root = {
        "openapi": "3.0.3",
        "paths": {"/volumes/": {"post": {"requestBody": content, "responses": {"201": content}}}},
        "components": {"schemas": {"Row": row, "State": {"type": "string", "enum": ["new"]}}},
    }
    (operation,) = read(json.dumps(root).encode(), "both.json").operations
    assert operation.body is not None
    assert operation.answer is not None
    assert set(operation.body.fields) == operation.body.required == {"label", "secret"}
    assert set(operation.answer.fields) == {"id", "state", "label"}
    assert operation.answer.required == {"id", "state", "label"}
