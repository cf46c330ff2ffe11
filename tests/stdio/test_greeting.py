"""What is said before the house is there is what the house says, and whatever isn't certain waits for it."""

from __future__ import annotations

import json
import os
import re
import select
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.catalogue import OFFERS, Toolset
from barrack_mcp.config import read_settings
from barrack_mcp.server.house import House, open_server
from barrack_mcp.transports.stdio.connection import Connection
from barrack_mcp.transports.stdio.greeter import NOT_GREETED, Greeted, Greeter
from barrack_mcp.transports.stdio.greeting import LEGACY, LONGEST, Greeting, is_sdk_recorded, read_record, surface
from tests.stdio.speaking import ENVELOPE, INITIALIZE, line, modern, request
from tests.support.patience import PATIENT_S

pytestmark = pytest.mark.anyio

RECORD = read_record()
LISTS = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"]
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
SURFACES: list[dict[str, str]] = [
    {},
    {"BARRACK_SIMULATOR": "1"},
    {"BARRACK_TOOLSETS": "core"},
    *({"BARRACK_TOOLSETS": toolset.value} for toolset in Toolset),
    {"BARRACK_TOOLSETS": "core,firewalls", "BARRACK_READ_ONLY": "on"},
    {"BARRACK_TOOLS": "list_instances,delete_instance"},
    {"BARRACK_TOOLS": "list_volumes", "BARRACK_TOOLSETS": "images"},
    {"BARRACK_TOOLS": "delete_volume", "BARRACK_READ_ONLY": "true"},
    {"BARRACK_READ_ONLY": "no", "BARRACK_TOOLSETS": ""},
]


def initialize(revision: str = "2025-11-25", ident: Any = 0, **more: Any) -> dict[str, Any]:
    return request(ident, "initialize", **{**INITIALIZE, "protocolVersion": revision}, **more)


def conversations() -> list[list[dict[str, Any]]]:
    """Every first conversation that is known: each revision of the older era, and the newer one."""
    lists = [request(number, method) for number, method in enumerate(("ping", *LISTS), 1)]
    asked = [modern(number, method) for number, method in enumerate(("server/discover", *LISTS))]
    return [*([initialize(revision), INITIALIZED, *lists] for revision in RECORD["initialize"]), asked]


@asynccontextmanager
async def house(folder: Path, environ: Mapping[str, str]) -> AsyncIterator[House]:
    async with open_server(read_settings({"BARRACK_STATE": str(folder / "state.db"), **environ})) as opened:
        yield opened


async def said(house: House, frames: bytes, greeted: Greeted = NOT_GREETED) -> list[bytes]:
    """Everything a house answers to frames and the end of the input."""
    incoming, to_server = os.pipe()
    from_server, outgoing = os.pipe()
    answers = b""

    async def hear() -> None:
        nonlocal answers
        while chunk := await anyio.to_thread.run_sync(os.read, from_server, 65_536):
            answers += chunk

    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hear)
            await anyio.to_thread.run_sync(os.write, to_server, frames)
            os.close(to_server)
            await Connection(house.server, incoming, outgoing, greeted=greeted).serve()
            os.close(outgoing)
    os.close(incoming)
    os.close(from_server)
    return answers.splitlines(keepends=True)


async def greeted(house: House, offered: frozenset[str], lines: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    """What a greeting says to frames, and what the house then says to the rest."""
    greeting = Greeting(RECORD, offered)
    first = [answer for each in lines if (answer := greeting.hear(each)) is not None]
    return first, await said(house, b"", Greeted(b"".join(greeting.rest), greeting.unspoken))


@pytest.mark.promise("V3")
@pytest.mark.parametrize("environ", SURFACES, ids=lambda environ: ",".join(environ.values()) or "as it comes")
async def test_on_every_surface_and_in_every_revision_it_says_what_the_house_says(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    offered = surface([], environ, RECORD)
    assert offered is not None
    async with house(tmp_path, environ) as opened:
        for conversation in conversations():
            frames = [line(message) for message in conversation]
            first, then = await greeted(opened, offered, [frame[:-1] for frame in frames])
            assert then == [], "what the client has heard is said again"
            assert first == await said(opened, b"".join(frames))


@pytest.mark.parametrize("flags", [["--toolsets", "core"], ["--tools=list_instances,get_volume"], ["--read-only"]])
def test_a_flag_counts_as_its_setting_does_and_wins_over_it(flags: list[str]) -> None:
    name, _, value = flags[0].partition("=")
    setting = "BARRACK_" + name.removeprefix("--").replace("-", "_").upper()
    told = {setting: value or (flags[1] if flags[1:] else "on")}
    assert surface(flags, {}, RECORD) == surface([], told, RECORD) is not None
    others = {"BARRACK_TOOLSETS": "images", "BARRACK_TOOLS": "list_volumes", "BARRACK_READ_ONLY": "off"}
    assert surface(flags, others, RECORD) == surface([], others | told, RECORD)


@pytest.mark.promise("V3")
@pytest.mark.parametrize("name", ["toolsets", "tools"])
def test_a_flag_that_is_empty_says_nothing_so_its_setting_holds(name: str) -> None:
    environ = {"BARRACK_TOOLSETS": "images", "BARRACK_TOOLS": "list_volumes"}
    known = read_settings(environ, {name: ""})
    offered = frozenset(offer.tool for offer in OFFERS.values() if known.offers(offer))
    assert surface([f"--{name}", ""], environ, RECORD) == surface([f"--{name}="], environ, RECORD) == offered


@pytest.mark.promise("V3")
@pytest.mark.parametrize(
    ("installed", "known"),
    [
        ([f"mcp-{RECORD['sdk']}.7.dist-info", "mcp_types-9.9.9.dist-info"], True),
        ([f"mcp-{RECORD['sdk']}9.0.dist-info"], False),
        (["mcp-2.999.0.dist-info"], False),
        ([f"mcp-{RECORD['sdk']}.0.dist-info", "mcp-2.999.0.dist-info"], False),
        (["mcp", "mcp.egg-link"], False),
    ],
)
def test_another_release_of_the_sdk_than_was_recorded_waits_for_the_house(
    tmp_path: Path, installed: list[str], *, known: bool
) -> None:
    folders = [tmp_path / "none", tmp_path / "first", tmp_path / "second"]
    for name in installed:
        (tmp_path / "first" / name).mkdir(parents=True)
    (tmp_path / "second" / f"mcp-{RECORD['sdk']}.0.dist-info").mkdir(parents=True)
    assert is_sdk_recorded(RECORD, map(str, folders[:2])) == known
    if installed[0] != "mcp":
        assert is_sdk_recorded(RECORD, map(str, folders)) == known, "what is found first is what is loaded"


@given(
    toolsets=st.lists(st.sampled_from(["all", "core", *Toolset]), max_size=3, unique=True),
    tools=st.lists(st.sampled_from([*OFFERS]), max_size=3, unique=True),
    read_only=st.sampled_from(["", "1", "off", "TRUE", "maybe"]),
)
@settings(max_examples=100)
def test_a_surface_is_the_settings_own_or_not_certain(toolsets: list[str], tools: list[str], read_only: str) -> None:
    environ = {"BARRACK_TOOLSETS": ",".join(toolsets), "BARRACK_TOOLS": ",".join(tools), "BARRACK_READ_ONLY": read_only}
    found = surface([], environ, RECORD)
    if read_only in ("TRUE", "maybe"):
        assert found is None
    else:
        known = read_settings(environ)
        assert found == frozenset(offer.tool for offer in OFFERS.values() if known.offers(offer))


@pytest.mark.promise("V3")
@pytest.mark.parametrize(
    ("flags", "environ"),
    [
        (["--port", "8765"], {}),
        (["--read-only", "--read-only"], {}),
        (["--read-only=1"], {}),
        (["--transport", "http"], {}),
        (["--transport"], {}),
        (["--toolsets"], {"BARRACK_TOOLSETS": "nonsense"}),
        (["--help"], {}),
        (["list"], {}),
        (["--toolsets", "none such"], {}),
        (["--tools", "list_instance"], {}),
        ([], {"BARRACK_TOOLSETS": "«core»"}),
        ([], {"BARRACK_TOOLSETS": "core,,images"}),
        ([], {"BARRACK_READONLY": "1"}),
        ([], {"BARRACK_CONFIG": "/etc/barrack.toml"}),
        ([], {"barrack_toolsets": "core"}),
        ([], {"BARRACK_CONTRACT": "/etc/contract.toml"}),
        ([], {"BARRACK_OPENAPI": "https://example.com/openapi.json"}),
        ([], {"BARRACK_READ_ONLY": "2"}),
    ],
)
def test_what_isnt_certain_of_a_command_line_or_an_environment_waits_for_the_house(
    flags: list[str], environ: dict[str, str]
) -> None:
    assert surface(flags, environ, RECORD) is None


def test_it_knows_every_setting_and_every_tool() -> None:
    assert surface([], dict.fromkeys(set(RECORD["settings"]) - {"BARRACK_CONTRACT", "BARRACK_OPENAPI"}, ""), RECORD)
    assert list(RECORD["tools"]) == [json.loads(item["text"])["name"] for item in RECORD[LEGACY]["tools/list"]["items"]]


ODD = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff",
    line(initialize("1999-01-01"))[:-1],
    line(
        initialize(),
    )[:-1].replace(b'"elicitation": {}', b'"elicitation": 5'),
    line(initialize())[:-1].replace(b'"elicitation": {}', b'"roots": {"listChanged": "no"}'),
    line(initialize())[:-1].replace(b'"name": "t"', b'"name": 7'),
    line(initialize(extra=1))[:-1],
    line(request(1, "tools/list", cursor="x"))[:-1],
    line(request(1, "tools/list", cursor=None))[:-1],
    line(request(1, "tools/list"))[:-1].replace(b'"id": 1', b'"id": true'),
    line(request(None, "ping"))[:-1],
    line(request(1.5, "ping"))[:-1],
    line(request(2**70, "ping"))[:-1],
    line(request('a"b\\c\n', "ping"))[:-1],
    line(request("x" * 2_000, "ping"))[:-1],
    line(request(1, "ping") | {"jsonrpc": "1.0"})[:-1],
    line(request(1, "ping") | {"more": 1})[:-1],
    line(request(1, "no/such"))[:-1],
    line(request(1, "tools/list", _meta=ENVELOPE | {"io.modelcontextprotocol/protocolVersion": "2027-01-01"}))[:-1],
    line(request(1, "tools/list", _meta=ENVELOPE | {"io.modelcontextprotocol/logLevel": "debug"}))[:-1],
    line(request(1, "tools/list", _meta={"progressToken": 1.5}))[:-1],
    line(modern(1, "ping"))[:-1],
    line(modern(2, "initialize", **INITIALIZE))[:-1],
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
    b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"progressToken":"t"}}}\r',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
    b'{"jsonrpc":"2.0","id":1,"result":{}}',
    line(request(1, "ping", _meta={"x": [[[[]]] * 60]}))[:-1],
]
KNOWN = [line(message)[:-1] for conversation in conversations()[-2:] for message in conversation]


@pytest.mark.promise("V3")
@given(st.lists(st.one_of(st.sampled_from(KNOWN), st.sampled_from(ODD)), min_size=1, max_size=8, unique=True))
@settings(max_examples=60)
def test_whatever_a_client_says_each_of_its_frames_is_answered_as_the_house_alone_would(chosen: list[bytes]) -> None:
    # an id may be used again once it is answered, and how soon that is isn't the same
    lines = [re.sub(rb'"id": ?\d\b', b'"id":%d' % (100 + place), frame) for place, frame in enumerate(chosen)]

    async def both() -> tuple[list[bytes], list[bytes]]:
        async with open_server(read_settings({"BARRACK_SIMULATOR": "1", "BARRACK_READ_ONLY": "1"})) as opened:
            offered = surface([], {"BARRACK_READ_ONLY": "1"}, RECORD)
            assert offered is not None
            first, then = await greeted(opened, offered, lines)
            return [*first, *then], await said(opened, b"".join(each + b"\n" for each in lines))

    with_it, without = anyio.run(both)
    # the house answers what it refuses at once before what it asks others for
    assert sorted(with_it) == sorted(without)


@dataclass
class Pipes:
    """A greeter at two pipes, and the client's ends of them."""

    greeter: Greeter
    incoming: int
    outgoing: int
    to_server: int
    from_server: int

    def answer(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(os.read(self.from_server, 65_536))
        return found


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    incoming, to_server = os.pipe()
    from_server, outgoing = os.pipe()
    greeter = Greeter(Greeting(RECORD, frozenset(RECORD["tools"])), incoming, outgoing)
    greeter.start()
    yield Pipes(greeter, incoming, outgoing, to_server, from_server)
    for end in (incoming, to_server, from_server, outgoing):
        with suppress(OSError):
            os.close(end)


@pytest.mark.promise("V3")
def test_a_frame_that_is_torn_by_the_handing_over_is_whole_for_the_house(pipes: Pipes) -> None:
    call = line(request(1, "tools/call", name="list_instances"))
    os.write(pipes.to_server, line(initialize()) + call[:20])
    assert pipes.answer()["id"] == 0
    greeted = pipes.greeter.stop()
    os.write(pipes.to_server, call[20:])
    replayed, *left = (greeted.heard + os.read(pipes.incoming, 65_536)).splitlines(keepends=True)
    assert json.loads(replayed) == initialize(ident=greeted.unspoken)
    assert left == [call]


@pytest.mark.promise("V3")
async def test_a_client_that_reads_no_more_while_it_is_greeted_ends_the_house_though_it_may_go_on_to_write(
    tmp_path: Path, pipes: Pipes
) -> None:
    os.close(pipes.from_server)
    os.write(pipes.to_server, line(initialize()) + line(request(1, "ping")))
    pipes.greeter.thread.join(PATIENT_S)
    greeted = pipes.greeter.stop()
    assert greeted.heard.count(b"\n") == 2
    with anyio.fail_after(PATIENT_S):
        async with house(tmp_path, {}) as opened:
            await Connection(opened.server, pipes.incoming, pipes.outgoing, greeted=greeted).serve()


@pytest.mark.promise("V3")
async def test_a_client_that_is_slow_to_read_its_greeting_keeps_no_house_waiting_and_hears_each_byte_once(
    tmp_path: Path, pipes: Pipes
) -> None:
    lists = [request(number, "tools/list") for number in range(1, 5)]
    os.write(pipes.to_server, b"".join(map(line, [initialize(), INITIALIZED, *lists])))
    select.select([pipes.from_server], [], [], PATIENT_S)
    # what fits into the pipe is said; the client reads none of it, and the house is there
    greeted = pipes.greeter.stop()
    assert greeted.unsaid
    os.close(pipes.to_server)
    heard = b""

    def hear() -> None:
        nonlocal heard
        while chunk := os.read(pipes.from_server, 65_536):
            heard += chunk

    with anyio.fail_after(PATIENT_S):
        async with house(tmp_path, {}) as opened:
            async with anyio.create_task_group() as tasks:

                async def serve() -> None:
                    await Connection(opened.server, pipes.incoming, pipes.outgoing, greeted=greeted).serve()
                    os.close(pipes.outgoing)

                tasks.start_soon(serve)
                # it has gone as far as it can while nobody reads
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(anyio.to_thread.run_sync, hear)
            alone = await said(opened, b"".join(map(line, [initialize(), INITIALIZED, *lists])))
    assert heard.splitlines(keepends=True) == alone


def test_nothing_is_read_on_behind_what_waits_for_the_house(pipes: Pipes) -> None:
    frames = line(request(1, "tools/call", name="list_instances")), line(request(2, "ping"))
    os.write(pipes.to_server, b"".join(frames))
    pipes.greeter.thread.join(PATIENT_S)
    assert pipes.greeter.stop() == Greeted(b"".join(frames))


def test_of_a_client_that_says_no_more_than_that_it_is_ready_but_says_it_for_ever_little_is_kept(pipes: Pipes) -> None:
    frames = line(initialize()) + line(INITIALIZED) * 500
    os.write(pipes.to_server, frames)
    pipes.greeter.thread.join(PATIENT_S)
    assert not pipes.greeter.thread.is_alive(), "it reads on"
    replayed, rest = pipes.greeter.stop().heard.split(b"\n", 1)
    assert json.loads(replayed)["method"] == "initialize"
    assert rest == line(INITIALIZED) * 500


def test_no_client_can_have_the_id_under_which_the_house_hears_its_first_word() -> None:
    ids = set()
    for _ in range(3):
        greeting = Greeting(RECORD, frozenset())
        greeting.hear(line(initialize())[:-1])
        ids.add(greeting.unspoken)
    assert len(ids) == 3


def test_a_frame_that_is_longer_than_a_start_ever_is_waits_for_the_house(pipes: Pipes) -> None:
    beginning = line(request(1, "ping", _meta={"x": "y" * 2 * LONGEST}))[: LONGEST + 1]
    read = 0
    while read < len(beginning):
        read += os.write(pipes.to_server, beginning[read : read + 4_096])
    pipes.greeter.thread.join(PATIENT_S)
    assert pipes.greeter.stop() == Greeted(beginning)
