"""What a caller's secrets are: kept out of every record, and private keys refused before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.marks import MASK, inner, marks_of, masked, open_texts, secrets_in, whole_texts
from barrack_mcp.catalogue.models import Request, required
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.catalogue.values import ARRAY, OBJECT, Keep
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.arguments.validation import BadArgumentsError, validate
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.answers import Answers, dispatcher
from tests.support.pairs import pairs

pytestmark = pytest.mark.anyio

STATE: Any = create_app(now=lambda: 0.0).state.barrack.state()
WRITES = [operation for operation in OPERATIONS if not operation.reads]
CANARY = "hunter2-canary"
SECRETS = {
    ("deploy_instance", "cloud_init"),
    ("deploy_instance", "jupyter_password"),
    ("create_startup_script", "script"),
    ("update_startup_script", "script"),
}
PRIVATE = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----",
    "#!/bin/sh\ncat > key <<END\n-----BEGIN EC PRIVATE KEY-----\nMHc=\nEND\n",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----",
    "PuTTY-User-Key-File-3: ssh-ed25519",
)
each_write = pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.tool)


def places(operation: Operation) -> Iterator[tuple[str, Any]]:
    """Every place in an operation's arguments where a text may stand, with what makes an argument of a text."""
    for name, schema in arguments_schema(operation.arguments)["properties"].items():
        for wrap in _wraps(schema):
            yield name, wrap


def _wraps(schema: JsonObject) -> Iterator[Any]:
    match schema["type"]:
        case "string":
            yield lambda text: text
        case "array":
            for inner in _wraps(schema["items"]):
                yield lambda text, inner=inner: [inner(text)]
                yield lambda text, inner=inner: json.dumps([inner(text)])
                yield (
                    lambda text, inner=inner: json.dumps([inner(text)]).replace("-", "\\u002d").replace("P", "\\u0050")
                )
        case "object":
            for name, part in schema.get("properties", {}).items():
                for inner in _wraps(part):
                    yield lambda text, inner=inner, name=name: {name: inner(text)}
                    yield lambda text, inner=inner, name=name: json.dumps({name: inner(text)})
            yield lambda text: {text: 1}


def test_the_sweep_finds_arguments_in_lists_and_objects() -> None:
    found = sum(1 for operation in WRITES for _ in places(operation))
    assert found > 100


@pytest.mark.promise("S4")
@pytest.mark.parametrize(
    ("operation", "key"), pairs(WRITES, PRIVATE, ids=lambda part: getattr(part, "tool", part).splitlines()[0])
)
async def test_a_private_key_in_any_text_of_any_write_is_refused_and_nothing_is_sent(
    operation: Operation, key: str
) -> None:
    transport = Answers()
    house = dispatcher(transport)
    good = examples.good(operation, STATE)
    for name, wrap in places(operation):
        answer = await house.call(operation.tool, good | {name: wrap(key)})
        assert isinstance(answer, Answer)
        assert answer.structured["outcome"] == "refused"
        assert "BEGIN" not in answer.text
        assert name in answer.text
    named = await house.call(operation.tool, good | {key: 1})
    assert isinstance(named, Answer)
    assert named.structured["outcome"] == "refused"
    assert "BEGIN" not in named.text
    assert not transport.requests


def test_a_private_key_behind_the_escapes_of_json_text_is_found() -> None:
    operation = next(operation for operation in WRITES if operation.tool == "deploy_instance")
    rule = {"direction": "ingress", "ethertype": "IPv4", "protocol": PRIVATE[2], "remote_ip_prefix": "203.0.113.0/24"}
    hidden = json.dumps([rule]).replace("PRIVATE", "\\u0050RIVATE")
    with pytest.raises(BadArgumentsError, match="security_rules: must not hold a private key"):
        validate(operation, examples.good(operation, STATE) | {"security_rules": hidden})


@pytest.mark.promise("S4")
@each_write
def test_no_secret_argument_is_kept(operation: Operation) -> None:
    secrets = {name for tool, name in SECRETS if tool == operation.tool}
    good = examples.good(operation, STATE)
    for name in arguments_schema(operation.arguments)["properties"]:
        for value in (CANARY, [CANARY], {"a": CANARY}, {"a": [CANARY]}):
            kept = masked(operation, good | {name: value})
            assert (CANARY in json.dumps(kept)) == (name not in secrets), name
            if name in secrets:
                assert kept[name] == MASK
                assert secrets_in(operation, {name: value}) == (CANARY,)
            else:
                assert kept[name] == value
                assert not secrets_in(operation, {name: value})
    assert {name: value for name, value in masked(operation, good).items() if name not in secrets} == {
        name: value for name, value in good.items() if name not in secrets
    }


def test_all_secret_arguments_are_declared_where_they_are_described() -> None:
    found = {
        (operation.tool, name)
        for operation in OPERATIONS
        for name in operation.arguments.model_fields
        if masked(operation, {name: "x"}) == {name: MASK}
    }
    assert found == SECRETS


@each_write
def test_what_is_no_argument_and_what_is_a_private_key_is_not_kept_either(operation: Operation) -> None:
    name = next(iter(operation.arguments.model_fields))
    kept = masked(operation, {"jupyter_pasword": CANARY, name: PRIVATE[0]})
    assert kept == {"jupyter_pasword": MASK, name: MASK}


class Login(Request):
    user: str
    word: str = required("Its word.", secret=True)


class Entering(Request):
    login: Annotated[Login, OBJECT]
    logins: Annotated[list[Annotated[Login, OBJECT]], ARRAY]


def test_an_object_with_a_secret_in_it_that_comes_as_text_is_kept_out_as_a_whole() -> None:
    operation = replace(BY_TOOL["list_regions"], request=Entering)
    login = {"user": "ann", "word": CANARY}
    text = json.dumps(login)
    told = {"user": "ann", "word": MASK}
    assert masked(operation, {"login": login, "logins": [login]}) == {"login": told, "logins": [told]}
    assert masked(operation, {"login": text, "logins": [text]}) == {"login": MASK, "logins": [MASK]}
    assert masked(operation, {"login": text, "logins": json.dumps([login])}) == {"login": MASK, "logins": MASK}


def test_a_secret_within_an_object_is_known_and_the_rest_of_a_call_may_be_seen() -> None:
    operation = replace(BY_TOOL["list_regions"], request=Entering)
    login = {"user": "ann", "word": CANARY}
    assert secrets_in(operation, {"login": login, "logins": [login]}) == (CANARY, CANARY)
    assert open_texts(operation, {"login": login, "logins": [login]}) == ("login", "logins", "ann", MASK, "ann", MASK)


class Script(BaseModel):
    text: Annotated[str, Keep.WHOLE]
    note: Annotated[str, Keep.LINES]


class Shelf(BaseModel):
    count: int
    scripts: list[Script]
    by_name: dict[str, Annotated[str, Keep.LINES]]
    counts: dict[str, int]
    lines: list[Annotated[str, Keep.LINES]]


def test_marks_are_found_in_lists_and_under_every_name_of_an_object() -> None:
    marks = marks_of(Shelf)
    assert marks == {
        "scripts": {"text": Keep.WHOLE, "note": Keep.LINES}, "by_name": {"*": Keep.LINES}, "lines": Keep.LINES,
    }  # fmt: skip
    assert inner(marks["by_name"], "any name") == Keep.LINES
    assert inner({"a": Keep.WHOLE, "*": Keep.LINES}, "a") == Keep.WHOLE
    assert inner(Keep.WHOLE, "a") is None
    assert whole_texts(Shelf) == {"text"}


def test_an_absent_secret_is_told_as_absent() -> None:
    operation = next(operation for operation in WRITES if operation.tool == "deploy_instance")
    assert masked(operation, {"jupyter_password": None}) == {"jupyter_password": None}
