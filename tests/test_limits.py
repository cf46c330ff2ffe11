"""The longest, the deepest, the most: whatever a call holds is refused or answered in bounds, and holds up nobody."""

from __future__ import annotations

import functools
import gc
import importlib
import json
import pkgutil
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

import barrack_mcp
from barrack_mcp.api.body import MAX_BYTES
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS, JsonObject, Operation
from barrack_mcp.catalogue.schema import arguments_schema
from barrack_mcp.catalogue.values import MAX_KEY, MAX_SCRIPT_BYTES, MOST_LISTED
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.arguments.validation import BadArgumentsError, validate
from tests.stdio.speaking import INITIALIZE, process, request
from tests.support.answers import Answers, dispatcher
from tests.support.answers import json as answered
from tests.support.examples import PUBLIC_KEY
from tests.support.guarding import Corridor, account_of, guard, writer
from tests.support.patience import PATIENT_S, worked_s
from tests.support.running import EVERY_RISK, environment
from tests.support.simulation import Simulation, simulated

pytestmark = pytest.mark.anyio

MANY: Final = 20_000
MOST_REQUESTS: Final = 130
"""What one call may ask the API for: a look at each of a hundred things, and at the lists beside them."""
QUADRATIC: Final = "ssh-rsa " + "A" * 40 + " " * 80_000 + "\nx"

TEXTS: Final = ["x" * 99_999, "x" * 3_000_000, "é" * 1_000_000, " " * 90_000, "[" * 90_000, "{" * 90_000, QUADRATIC]
TURNS: Final = 4
"""From so many kinds of too much on they take turns."""
LISTS: Final = [
    [f"name-{at}" for at in range(MANY)],
    [f"BRK-{at:06d}D" for at in range(MANY)],
    ["x" * 10_000] * 200,
    [{}] * MANY,
    json.dumps([f"n{at}" for at in range(MANY)]),
]


def nested(depth: int) -> Any:
    value: Any = "x"
    for at in range(depth):
        value = [value] if at % 2 else {"x": value}
    return value


def extremes(schema: JsonObject) -> Iterator[Any]:
    """What is too much of whatever an argument takes."""
    yield nested(90)
    match schema["type"]:
        case "string":
            yield from TEXTS
        case "array":
            yield from LISTS
        case "object":
            yield {f"field-{at}": "x" for at in range(MANY)}
        case "integer":
            yield from (10**4_000, -(10**4_000), 10**19)


def size(answer: Answer) -> int:
    return max(len(answer.text.encode()), len(json.dumps(answer.structured, ensure_ascii=False).encode()))


async def answer_of(corridor: Corridor, tool: str, arguments: JsonObject) -> Answer:
    answer = await corridor.call(tool, arguments)
    assert isinstance(answer, Answer)
    return answer


def corridor_of(barrack: Simulation) -> Corridor:
    return Corridor(
        account=account_of(barrack.api, api="simulator"),
        surface=BY_TOOL,
        guard=guard(unattended=EVERY_RISK.split(",")),
        writer=writer(),
    )


@pytest.mark.slow
@pytest.mark.promise("R8")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.tool)
async def test_too_much_of_any_argument_is_refused_in_a_few_words_and_nothing_is_sent(operation: Operation) -> None:
    """Every argument with a third of all that is too much for its type; the thirds take turns over the arguments."""
    async with simulated() as barrack:
        corridor = corridor_of(barrack)
        good = barrack.good(operation.tool)
        arguments = arguments_schema(operation.arguments)["properties"]
        for at, (name, schema) in enumerate(arguments.items(), OPERATIONS.index(operation)):
            too_much = list(extremes(schema))
            for value in too_much[at % 3 :: 3] if len(too_much) > TURNS else too_much:
                answer = await answer_of(corridor, operation.tool, good | {name: value})
                assert answer.failure == "arguments", (name, answer.text[:500])
                assert size(answer) < 5_000
        answer = await answer_of(corridor, operation.tool, good | {f"extra_{at}": at for at in range(MANY)})
        assert answer.failure == "arguments"
        assert size(answer) < 5_000
        assert barrack.sent == []
        assert barrack.effects == []


@pytest.mark.promise("R8")
def test_what_nobody_asked_for_is_kept_nowhere() -> None:
    def refuse(word: str) -> int:
        with pytest.raises(BadArgumentsError):
            validate(BY_TOOL["create_volume"], {f"{word}_{at}": at for at in range(MANY)})
        gc.collect()
        return sys.getallocatedblocks()

    before = refuse("first")
    assert refuse("second") - before < MANY


@pytest.mark.slow
@pytest.mark.promise("R8")
@pytest.mark.parametrize("what", ["names", "ids"])
@pytest.mark.parametrize(
    ("tool", "argument"),
    [
        (operation.tool, name)
        for operation in OPERATIONS
        for name, schema in arguments_schema(operation.arguments)["properties"].items()
        if schema["type"] == "array"
    ],
)
async def test_as_many_as_a_call_may_name_are_answered_in_bounds_with_few_requests(
    tool: str, argument: str, what: str
) -> None:
    rule = {
        "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 1, "port_range_max": 2,
    }  # fmt: skip
    many: dict[str, list[Any]] = {
        "names": [f"nobody-{'x' * 30}-{at}" for at in range(MOST_LISTED)],
        "ids": [f"BRK-{at:06d}D" for at in range(MOST_LISTED)],
        "rules": [rule | {"remote_ip_prefix": f"203.0.113.{at}/32"} for at in range(MOST_LISTED)],
    }
    async with simulated() as small:
        good = small.good(tool)
    async with simulated(scenario="large") as barrack:
        corridor = corridor_of(barrack)
        values = many["rules" if argument == "security_rules" else what]
        answer = await answer_of(corridor, tool, good | {argument: values})
        assert size(answer) <= MAX_BYTES
        assert len(barrack.sent) <= MOST_REQUESTS


@pytest.mark.promise("R8")
async def test_of_a_hundred_unknown_names_five_are_explained() -> None:
    async with simulated() as barrack:
        names = [f"train-{at}-x" for at in range(MOST_LISTED)]
        answer = await answer_of(
            corridor_of(barrack), "attach_firewall", barrack.good("attach_firewall") | {"instance_ids": names}
        )
        assert answer.text.count("did you mean") + answer.text.count("list_instances shows") == 5
        assert "The same goes for 95 more." in answer.text
        assert barrack.effects == []


async def test_where_no_tool_lists_them_a_wrong_name_brings_no_others_to_light() -> None:
    async with simulated() as barrack:
        corridor = corridor_of(barrack)
        near = {"instance_id": barrack.state["instances"][0]["vm_name"] + "x"}
        whole = await answer_of(corridor, "hibernate_instance", near)
        assert "did you mean" in whole.text
        corridor.surface = {"hibernate_instance": BY_TOOL["hibernate_instance"]}
        for given in (near, {"instance_id": "BRK-999999D"}):
            answer = await answer_of(corridor, "hibernate_instance", given)
            assert answer.is_error
            for instance in barrack.state["instances"]:
                assert instance["instance_id"] not in answer.text
                assert instance["vm_name"] not in answer.text.replace(near["instance_id"], "")
        assert barrack.effects == []


async def test_one_more_entry_than_a_list_may_have_is_refused_with_what_to_do() -> None:
    answers = Answers(answered({"success": True}))
    ids = [f"BRK-{at:06d}V" for at in range(MOST_LISTED + 1)]
    for given in (ids, json.dumps(ids)):
        answer = await answer_of(
            dispatcher(answers), "detach_volumes", {"instance_id": "BRK-000001D", "volume_ids": given}
        )
        assert answer.text.startswith("volume_ids: must have at most 100 entries; do it in smaller parts.")
    assert answers.requests == []


def test_of_many_wrong_fields_five_are_explained_and_the_others_counted() -> None:
    with pytest.raises(BadArgumentsError) as caught:
        validate(BY_TOOL["list_regions"], {f"extra_{at}": at for at in range(16_000)})
    assert str(caught.value).count("is not an argument of list_regions") == 5
    assert str(caught.value).endswith("The same call is wrong in 15,995 more places.")


@pytest.mark.parametrize("blank", ["\n", "\r\n", "  ", " \t\n"])
def test_blanks_around_a_public_key_are_no_part_of_it(blank: str) -> None:
    given = {"name": "laptop", "public_key": f"{blank}{PUBLIC_KEY}{blank}"}
    assert validate(BY_TOOL["create_ssh_key"], given)["public_key"] == PUBLIC_KEY


@pytest.mark.parametrize(
    ("tool", "argument", "fits", "too_much"),
    [
        ("create_ssh_key", "public_key", "ssh-rsa " + "A" * (MAX_KEY - 8), "ssh-rsa " + "A" * (MAX_KEY - 7)),
        ("create_startup_script", "script", "é" * (MAX_SCRIPT_BYTES // 2), "é" * (MAX_SCRIPT_BYTES // 2 + 1)),
        ("deploy_instance", "jupyter_password", "x" * 200, "x" * 201),
        ("create_snapshot", "description", "x" * 1_000, "x" * 1_001),
        ("list_instances", "page", 10**9, 10**9 + 1),
    ],
)
async def test_each_limit_lets_pass_what_it_says_and_no_more(
    tool: str, argument: str, fits: Any, too_much: Any
) -> None:
    async with simulated() as barrack:
        good = barrack.good(tool)
    validate(BY_TOOL[tool], good | {argument: fits})
    with pytest.raises(BadArgumentsError, match=rf"^{argument}: must "):
        validate(BY_TOOL[tool], good | {argument: too_much})


# Patterns

ONLY_OURS: Final = {"barrack_mcp.cli.manifests.readme._BLOCK"}
"""What is looked for in our own pages alone."""
SHORT, LONG = 2_000, 16_000
LEAST_S: Final = 0.004
"""What takes less at the greater length is fast, whatever its growth."""
MOST_GROWTH: Final = 24.0
"""Eight times the text may take eight times as long, and on a busy machine three times that; not sixty-four times."""


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every pattern that a module of ours keeps."""
    seen: set[int] = set()
    for module in pkgutil.walk_packages(barrack_mcp.__path__, "barrack_mcp."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern) and id(value) not in seen:
                seen.add(id(value))
                yield f"{module.name}.{name}", value


PATTERNS: Final = dict(patterns())
AT_ONE_PLACE: Final = {"match", "fullmatch"}


def asked(name: str) -> set[str]:
    """How a pattern is asked, by the package's own source: what is only tried at one place needn't be fast at all."""
    module, _, short = name.rpartition(".")
    # what begins with an underscore is its module's own
    path = Path(str(sys.modules[module].__file__)) if short.startswith("_") else None
    source = path.read_text(encoding="utf-8") if path else whole_source()
    found = set(re.findall(rf"\b{short}\.(\w+)\(", source))
    return found if found and found <= AT_ONE_PLACE else {"fullmatch", "search"}


@functools.cache
def whole_source() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in Path(barrack_mcp.__file__).parent.rglob("*.py"))


@functools.cache
def stretched(length: int) -> Sequence[str]:
    return tuple(stretching(length))


def stretching(length: int) -> Iterator[str]:
    """Texts that a pattern may stumble over: one letter, two by turns, its own words, all over and over."""
    words = [
        *'aA0 \n-_./:{}[]"\\<*%$é', "ab", "a ", "a.", "a-", "{a", "a}", "0.", "/*", "//", '\\"', "\\ud8", "%20",
        "ssh-rsa ", "-----BEGIN ", "${", "<!-- generated: a -->\n", "insufficient ", "profile ", "incomplete ",
        "not ", "- ", "`a", "BRK-0", "0A",
    ]  # fmt: skip
    heads = ["", "ssh-rsa " + "A" * 40, "-----BEGIN ", "${", "{", '"', "/*", "BRK-", "0"]
    for head in heads:
        for word in words:
            for tail in ("", "\n\x00"):
                yield head + word * (length // len(word)) + tail


def seconds(pattern: re.Pattern[Any], text: str, ways: set[str]) -> float:
    """The least time of the processor over a few tries, in each way of asking."""
    given: Any = text.encode() if isinstance(pattern.pattern, bytes) else text
    best = float("inf")
    for _ in range(3):
        began = time.thread_time()
        for way in ways:
            getattr(pattern, way)(given)
        best = min(best, time.thread_time() - began)
        if best < LEAST_S:
            break
    return best


@pytest.mark.slow
@pytest.mark.promise("R8")
@pytest.mark.parametrize("name", sorted(PATTERNS.keys() - ONLY_OURS))
def test_no_pattern_takes_more_time_than_its_text_grows(name: str) -> None:
    pattern, ways = PATTERNS[name], asked(name)
    for short, long in zip(stretched(SHORT), stretched(LONG), strict=True):
        taken = seconds(pattern, long, ways)
        if taken >= LEAST_S:
            assert taken < MOST_GROWTH * max(seconds(pattern, short, ways), LEAST_S / MOST_GROWTH), (name, long[:60])


# A process

HOLDING: Final = [
    ("create_ssh_key", {"name": "a", "public_key": QUADRATIC}),
    ("create_ssh_key", {"name": "a", "public_key": "ssh-rsa " + "A" * 40 + " " * 3_000_000}),
    ("attach_firewall", {"firewall_id": "office", "instance_ids": [f"nobody-{at}" for at in range(50_000)]}),
    ("attach_firewall", {"firewall_id": "office", "instance_ids": [f"train-{at}-x" for at in range(100)]}),
    ("detach_volumes", {"instance_id": "train-1", "volume_ids": [f"BRK-{at:06d}V" for at in range(20_000)]}),
    ("list_regions", {f"extra_{at}": at for at in range(16_000)}),
]


@pytest.mark.slow
@pytest.mark.promise("R8")
async def test_what_holds_much_holds_up_nobody_and_a_signal_ends_the_process_meanwhile(tmp_path: Path) -> None:
    env = environment(HOME=str(tmp_path), XDG_STATE_HOME=str(tmp_path), BARRACK_SIMULATOR="1")
    async with process([sys.executable, "-m", "barrack_mcp", "serve"], env) as (talk, started):
        assert "result" in await talk.ask(request("hello", "initialize", **INITIALIZE))
        await talk.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        for at, (tool, arguments) in enumerate(HOLDING):
            await talk.say(request(f"call-{at}", "tools/call", name=tool, arguments=arguments))
            # a second is promised; what took twenty before is told apart on a machine ten times as slow
            began = worked_s(started.pid)
            assert "result" in await talk.ask(request(f"ping-{at}", "ping"))
            assert worked_s(started.pid) - began < 10
        for at in range(len(HOLDING)):
            result = (await talk.answer(f"call-{at}"))["result"]
            assert result["isError"]
            assert len(json.dumps(result)) <= MAX_BYTES
        await talk.say(request("last", "tools/call", name=HOLDING[0][0], arguments=HOLDING[0][1]))
        started.terminate()
        with anyio.fail_after(PATIENT_S):
            assert await started.wait() == 0
