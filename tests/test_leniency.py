"""What a client sends in another form is read where it can mean one thing only; what it can't, is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.answers import Answers, dispatcher
from tests.support.answers import json as answered

STATE: Any = json.loads(json.dumps(create_app(now=lambda: 0.0).state.barrack.state()))
BLOB = "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAAAABHNzaDo="


def otherwise(schema: JsonObject, name: str, value: Any) -> list[tuple[Any, Any]]:
    """Other forms of a value, each with what it means."""
    match schema.get("type"):
        case "integer":
            return [(str(value), value), (f" {value} ", value), (float(value), value), (f"{value}.0", value)]
        case "boolean":
            word = str(value)
            return [(word, value), (word.lower(), value), (f" {word.upper()} ", value)]
        case "string" if "enum" in schema or name == "protocol":
            return [(value.upper(), value), (value.lower(), value), (f" {value} ", value)]
        case "string" if name.endswith("_id"):
            return [(f" {value} ", value), (f"{value}\n", value), (7, "7"), (7.0, "7"), (" 7 ", "7")]
        case "array" if name.endswith("_ids"):
            return [([7, " b "], ["7", "b"]), ("[7, 8]", ["7", "8"])]
        case _:
            return []


def filled(operation: Operation) -> JsonObject:
    """Arguments that fit, with each number and flag that may be left out as well."""
    properties = arguments_schema(operation.arguments)["properties"]
    more = {
        name: True if each["type"] == "boolean" else each.get("minimum", 1)
        for name, each in properties.items()
        if each["type"] in ("boolean", "integer")
    }
    given = more | examples.good(operation, STATE)
    return given if fits(operation, given) else examples.good(operation, STATE)


def fits(operation: Operation, given: JsonObject) -> bool:
    try:
        operation.arguments.model_validate(given)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)
def test_every_argument_is_read_in_each_form_that_means_the_same(operation: Operation) -> None:
    given = filled(operation)
    for name, schema in arguments_schema(operation.arguments)["properties"].items():
        if name not in given:
            continue
        for form, meant in otherwise(schema, name, given[name]):
            if fits(operation, given | {name: meant}):
                read = operation.arguments.model_validate(given | {name: form}).model_dump(mode="json")
                assert (name, read[name]) == (name, meant)
                assert type(read[name]) is type(meant)


WRONG: list[tuple[str, list[Any]]] = [
    (
        "integer",
        ["1.5", 1.5, "one", " ", "0x10", "1e2", "1_000", "\u0661", True, False, [1], {}, "1,000", "+-1", "∞"],
    ),
    ("boolean", ["yes", "no", "on", "1", "0", " ", "truth", 1, 0, 2, 1.0, [True], {}]),
    ("string", [True, False, 1.5, [], {}, ["a"]]),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)
def test_what_can_mean_two_things_is_refused(operation: Operation) -> None:
    given = filled(operation)
    wrong = dict(WRONG)
    for name, schema in arguments_schema(operation.arguments)["properties"].items():
        for form in wrong.get(schema["type"], []):
            assert not fits(operation, given | {name: form}), (name, form)


@pytest.mark.anyio
async def test_an_id_that_came_as_a_number_or_with_blanks_is_sent_as_text() -> None:
    for form in (7, 7.0, " 7 ", "7"):
        answers = Answers(answered({"success": True, "firewall": {"id": 7, "name": "web"}}))
        told = await dispatcher(answers).call("get_firewall", {"firewall_id": form})
        assert isinstance(told, Answer)
        assert not told.is_error
        assert answers.requests[-1].url.path == "/api/firewalls/7/"


KEYS = [
    f"ssh-ed25519 {BLOB}",
    f"ssh-ed25519  {BLOB} me",
    f"ssh-rsa\t{BLOB}\tme@home",
    f"  ssh-ed25519 {BLOB} me  with  blanks \n",
    f"sk-ssh-ed25519@openssh.com {BLOB} me",
    f"sk-ecdsa-sha2-nistp256@openssh.com {BLOB} me",
    f"ssh-ed25519-cert-v01@openssh.com {BLOB} me",
    f"webauthn-sk-ecdsa-sha2-nistp256@openssh.com {BLOB}",
    f"ssh-mldsa-65 {BLOB} of next year",
]
NO_KEYS = [
    "", "ssh-ed25519", f"{BLOB}", "ssh-ed25519 hello", f"ssh-ed25519 {BLOB}\nssh-ed25519 {BLOB}",
    f"no-pty ssh-ed25519 {BLOB}", f'command="x" ssh-ed25519 {BLOB}', f"ssh-ed25519{BLOB}",
    f"---- BEGIN SSH2 PUBLIC KEY ----\n{BLOB}", f"ssh-ed25519 BBBB{BLOB}", "ssh-ed25519 AAAA",
]  # fmt: skip


def test_a_key_of_any_kind_is_taken_as_openssh_writes_it_and_the_api_judges_it() -> None:
    operation = BY_TOOL["create_ssh_key"]
    for key in KEYS:
        read = operation.arguments.model_validate({"name": "k", "public_key": key}).model_dump()
        assert read["public_key"] == key.strip()
    for key in NO_KEYS:
        assert not fits(operation, {"name": "k", "public_key": key}), key
