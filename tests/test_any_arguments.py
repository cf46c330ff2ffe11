"""Arguments made from the tools' own schemas, good and bad: the good ones are sent, of the bad ones nothing is."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import anyio
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from barrack_mcp.catalogue import OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.kinds import kind_named_by
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.catalogue.values import PRIVATE_KEY
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.writes.keyfile import KeyFolder
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.answers import Answers, dispatcher
from tests.support.answers import json as answered

STATE: Any = json.loads(json.dumps(create_app(now=lambda: 0.0).state.barrack.state()))
TIMES = 30

ODD: list[Any] = [
    None, "", " ", "\x00", "../..", "a/b", "%2e%2e", "\ud800", "x" * 5_000, "ACTIVE ", "0.0.0.0/0", "::/0", "billing",
    0, -1, 1, 2, 2.0, 1.5, 10**30, float("1e300"), True, False, [], {}, [None], [[]], ["a", "a"], {"a": 1}, "[]", "{}",
    "[1", "-----BEGIN OPENSSH PRIVATE KEY-----", ["-----BEGIN RSA PRIVATE KEY-----"], "null", "true", "1",
]  # fmt: skip

TEXTS = {
    "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}", fullmatch=True),
    "remote_ip_prefix": st.sampled_from(["203.0.113.0/24", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32"]),
    "public_key": st.just(examples.PUBLIC_KEY),
}
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)


def value(name: str, schema: JsonObject) -> st.SearchStrategy[Any]:
    """Values that the schema of one argument allows."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "boolean":
            return st.booleans()
        case "integer":
            low = schema.get("minimum", 1)
            return st.integers(low, schema.get("maximum", low + 1_000))
        case "array":
            items = value(name.removesuffix("s"), schema["items"])
            return st.lists(items, min_size=1, max_size=3, unique_by=json.dumps)
        case "object":
            return arguments(schema)
        case _:
            return (
                IDS
                if kind_named_by(name) is not None or name.endswith("_id")
                else TEXTS.get(name, st.text("abcXYZ019 .-", min_size=1, max_size=40))
            )


def arguments(schema: JsonObject) -> st.SearchStrategy[JsonObject]:
    """Objects that a schema allows: all that is required, some of the rest."""
    must = schema.get("required", [])
    made = {name: value(name, each) for name, each in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: each for name, each in made.items() if name in must},
        optional={name: each for name, each in made.items() if name not in must},
    )


@st.composite
def calls(draw: st.DrawFn, operation: Operation) -> JsonObject:
    """Arguments that fit, or fit but for one thing."""
    schema = arguments_schema(operation.arguments)
    given_ = dict(draw(st.one_of(st.just(examples.good(operation, STATE)), arguments(schema))))
    names = sorted(schema["properties"])
    match draw(st.integers(0, 5)):
        case 0 if names:
            given_[draw(st.sampled_from(names))] = draw(st.sampled_from(ODD))
        case 1 if given_:
            del given_[draw(st.sampled_from(sorted(given_)))]
        case 2:
            given_[draw(st.sampled_from(["force", "confirm", "yes", "instanceId", "\u202e"]))] = draw(
                st.sampled_from(ODD)
            )
        case 3:
            # some clients send arrays and objects as text
            given_ = {n: json.dumps(v) if isinstance(v, list | dict) else v for n, v in given_.items()}
    return given_


def is_valid(operation: Operation, given_: JsonObject) -> bool:
    """What counts as valid: it passes the operation's model, and holds no private key and no broken text."""
    try:
        model = operation.arguments.model_validate(given_)
        text = json.dumps([given_, model.model_dump(mode="json")], ensure_ascii=False)
        text.encode()
    except (ValidationError, UnicodeEncodeError):
        return False
    return not PRIVATE_KEY.search(text)


@pytest.mark.slow
@pytest.mark.promise("R7")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)
def test_valid_arguments_are_never_rejected_and_of_invalid_ones_nothing_is_sent(
    operation: Operation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    schema = jsonschema.Draft202012Validator(arguments_schema(operation.arguments))
    keys = KeyFolder(tmp_path_factory.mktemp("keys"))
    seen: Counter[bool] = Counter()

    @settings(
        max_examples=TIMES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(calls(operation))
    def check(given_: JsonObject) -> None:
        answers = Answers(answered({"success": True}))

        async def call() -> Answer:
            answer = await dispatcher(answers, key_folder=keys).call(operation.tool, given_)
            assert isinstance(answer, Answer)
            return answer

        answer = anyio.run(call)
        valid = is_valid(operation, given_)
        seen[valid] += 1
        if valid:
            assert answer.failure != "arguments", (given_, answer.text)
            assert answers.requests
        else:
            assert answer.failure == "arguments", given_
            assert answer.structured["outcome"] == "refused"
            assert answers.requests == []
        if valid:
            # numbers, truth and ids may come in other forms; what is sent has the form that the schema tells
            sent = operation.arguments.model_validate(given_).model_dump(mode="json", exclude_none=True)
            assert schema.is_valid(sent), "the model takes what its schema forbids"

    check()
    # both were tried, and more than once; few of what is made up for a deployment obey all of its rules
    assert min(seen[False], seen[True]) > 1
