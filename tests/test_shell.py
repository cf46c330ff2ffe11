"""What a person at a terminal sees: tables and records that fit, what a tool takes, what a shell completes."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.catalogue import BY_TOOL, OFFERS, OPERATIONS
from barrack_mcp.cli.app import MODULES, app
from barrack_mcp.cli.tools.asking import answered_at_terminal
from barrack_mcp.cli.tools.completion import arguments_beginning, tools_beginning
from barrack_mcp.cli.tools.layout import record, table
from barrack_mcp.cli.tools.listing import as_page, as_table
from barrack_mcp.cli.tools.showing import as_command, shown
from barrack_mcp.config import Settings
from barrack_mcp.guard.passphrase import hash_passphrase
from tests.support.house import house
from tests.support.patience import PATIENT_S
from tests.support.running import EVERY_RISK, environment

WIDTHS = (80, 120)


def fits(text: str, width: int) -> None:
    """No line is longer than the terminal, but where one word alone is; and none holds JSON."""
    for line in text.splitlines():
        assert cell_len(line) <= width or len(line.split()) <= 2, line
        assert '{"' not in line, line
        assert '":' not in line, line


@pytest.mark.anyio
async def test_every_answer_of_every_tool_is_laid_out_for_a_person() -> None:
    async with house(unattended=EVERY_RISK.split(",")) as made:
        for operation in OPERATIONS:
            made.barrack.reset()
            result = await made.client.call_tool(operation.tool, made.good(operation.tool))
            answer: dict[str, Any] = dict(result.structured_content or {})
            for width in WIDTHS:
                text = shown(operation.tool, answer, width=width)
                assert text.strip(), operation.tool
                assert "request_id" not in text
                if operation.tool not in ("list_startup_scripts", "get_startup_script"):
                    fits(text, width)
            if "sum" in answer:
                assert "together, as they stand" in shown(operation.tool, answer, width=400)
            if "outcome" in answer:
                assert text.replace("\n", " ").startswith(answer["message"][:40])


@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_of_tools_fits_and_says_what_each_does(width: int) -> None:
    text = as_table(Settings(), Contract(), width=width)
    fits(text, width)
    assert all(f"\n{tool} " in f"\n{text}" for tool in OFFERS)


@pytest.mark.parametrize("tool", OFFERS)
def test_a_tool_tells_what_it_takes_and_how_it_is_called(tool: str) -> None:
    text = as_page(OFFERS[tool], Settings(), Contract(), width=80)
    fits(text.rpartition("\n")[0], 80)
    assert all(f"\n  {name}  " in text for name in OFFERS[tool].arguments.model_fields)
    assert text.rpartition("\n")[2].startswith(f"barrack-mcp call {tool}")


def test_a_tool_that_the_settings_leave_out_says_so() -> None:
    assert "offered: no" in as_page(BY_TOOL["stop_instance"], Settings(read_only=True), Contract(), width=80)


def test_rows_stand_side_by_side_where_they_fit_and_over_lines_of_their_own_where_they_do_not() -> None:
    rows = [{"id": "a", "size_gb": 5, "text": ""}, {"id": "bb", "size_gb": 1000, "text": ""}]
    assert table(rows, width=80) == ["id  size gb", "a         5", "bb     1000"]
    long = [{"id": "a", "name": "b", "note": "one two three four", "more": "five six seven"}]
    assert table(long, width=30) == ["a  b", "  note one two three four,", "  more five six seven"]
    lines = [{"id": "a", "name": "b", "script": "#!/bin/sh\n  ls\n"}]
    assert table(lines, width=80) == ["a  b", "  script:", "    #!/bin/sh", "      ls"]


def test_a_record_says_yes_and_no_and_leaves_out_what_is_not_there() -> None:
    lines = [*record({"a": True, "b": None, "c": {"d": 1.5, "e": [1, 2]}, "f": ""}, width=80)]
    assert lines == ["a: yes", "c:", "  d: 1.50", "  e: 1, 2"]


def test_a_call_is_written_as_it_is_typed() -> None:
    assert as_command("get_instance", {"instance_id": "a b"}) == "barrack-mcp call get_instance 'instance_id=a b'"


class _Typed:
    """What a shell has read so far of a `call`."""

    def __init__(self, tool: str, *arguments: str) -> None:
        self.params = {"tool": tool, "arguments": arguments}


def test_a_shell_completes_tools_arguments_and_the_values_of_closed_sets() -> None:
    assert {name for name, _ in tools_beginning("list_gpu")} == {"list_gpu_stock", "list_gpu_specs"}
    assert arguments_beginning(_Typed("deploy_instance"), "ti") == ["tier="]
    assert arguments_beginning(_Typed("deploy_instance", "tier=legacy"), "ti") == []
    assert arguments_beginning(_Typed("deploy_instance"), "tier=l") == ["tier=legacy"]
    assert arguments_beginning(_Typed("deploy_instance"), "public_ip=t") == ["public_ip=true"]
    assert arguments_beginning(_Typed("nope"), "") == []


@contextmanager
def heeded(number: int) -> Iterator[None]:
    """Have a signal heeded by what is started: where this runs in a shell's background, it would be born deaf to it."""
    before = signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def heard(terminal: int, seconds: float = 60) -> bytes:
    """Read what comes next from a terminal; empty where nobody is at its other end."""
    ready, _, _ = select.select([terminal], [], [], seconds)
    assert ready, "nothing was said in time"
    try:
        return os.read(terminal, 4096)
    except OSError:
        # Linux says so when the other end has closed
        return b""


def interrupted(*arguments: str, at: bytes, settings: dict[str, str]) -> bytes:
    """Run a command at a terminal, press Ctrl-C once at a question, and answer all that was said."""
    ours, theirs = pty.openpty()
    with (
        heeded(signal.SIGINT),
        subprocess.Popen(
            [sys.executable, "-m", "barrack_mcp", *arguments, "--simulator"],
            env=environment(**settings),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process,
    ):
        os.close(theirs)
        said = b""
        try:
            while at not in said:
                said += heard(ours)
            process.send_signal(signal.SIGINT)
            while chunk := heard(ours):
                said += chunk
            assert process.wait(timeout=PATIENT_S) == 130
        finally:
            process.kill()
    os.close(ours)
    assert b"Traceback" not in said
    return said


@pytest.mark.slow
@pytest.mark.promise("U2")
def test_ctrl_c_at_a_question_ends_the_call_and_says_that_nothing_was_approved() -> None:
    said = interrupted("call", "delete_instance", "instance_id=train-2", at=b"Name: ", settings={})
    assert b"Nothing was approved, and nothing was sent." in said


@pytest.mark.slow
@pytest.mark.promise("U2")
@pytest.mark.parametrize(
    ("tool", "at"),
    [("stop_instance", b"Type yes: "), ("delete_instance", b"to approve: "), ("stop_instance", b"Passphrase")],
)
def test_the_first_ctrl_c_ends_an_approval_and_the_request_still_waits(tool: str, at: bytes, tmp_path: Path) -> None:
    settings = {"BARRACK_STATE": str(tmp_path / "state.db")}
    if at == b"Passphrase":
        settings["BARRACK_APPROVAL_PASSPHRASE_HASH"] = hash_passphrase("long enough a passphrase")
    asked = subprocess.run(
        [sys.executable, "-m", "barrack_mcp", "call", tool, "instance_id=train-1", "--json", "--simulator"],
        env=environment(**settings), capture_output=True, text=True, check=False,
        timeout=PATIENT_S, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    waiting = str(json.loads(asked.stdout)["approval"]["id"])
    said = interrupted("approve", waiting, at=at, settings=settings)
    assert b"Nothing was approved; the request still waits." in said
    with sqlite3.connect(tmp_path / "state.db") as state:
        assert state.execute("SELECT status FROM approvals").fetchall() == [("pending",)]


@pytest.mark.promise("U1")
def test_help_fits_80_columns_names_no_type_for_a_flag_and_is_found_by_its_word() -> None:
    def helped(*words: str) -> str:
        result = CliRunner().invoke(app, words, env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"}, prog_name="barrack-mcp")
        assert result.exit_code == 0, (words, result.output)
        assert max(cell_len(line) for line in result.output.splitlines()) <= 80
        return result.output

    whole = helped("--help")
    assert helped("help") == whole
    for name in MODULES:
        assert name in whole
        said = helped(name, "--help")
        assert "<bool>" not in said, name
        assert helped("help", name) == said
    for name in ("verify", "tail"):
        assert "<bool>" not in helped("audit", name, "--help")
    assert helped("-V") == helped("--version")


@pytest.mark.promise("U1")
@pytest.mark.promise("U2")
@pytest.mark.anyio
async def test_a_question_is_broken_between_words_and_what_is_neither_yes_nor_no_is_asked_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    question = "Stop instance «train-1»: what runs on it ends, and the bill goes on.\nApprove?"
    for typed, meant, said in (
        (["maybe\n", "y\n"], "yes", "That is neither yes nor no. yes or no: "),
        (["Yes\n"], "yes", "yes or no: "),
        (["no\n"], "", "yes or no: "),
        (["\n"], "", "yes or no: "),
        (["so\n", "so\n"], "", "That is neither yes nor no. It counts as a no.\n"),
    ):
        ours, theirs = pty.openpty()
        asked = io.StringIO()
        with os.fdopen(theirs) as terminal, monkeypatch.context() as here:
            here.setattr(sys, "stdin", terminal)
            here.setattr(sys, "stderr", asked)
            here.setenv("COLUMNS", "30")
            answers: list[str] = []

            async def answer(answers: list[str] = answers) -> None:
                answers.append(await answered_at_terminal(question, typed_name=False))

            with anyio.fail_after(PATIENT_S):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(answer)
                    for number, line in enumerate(typed, 1):
                        while asked.getvalue().count("yes or no: ") < number:
                            await anyio.lowlevel.checkpoint()
                        os.write(ours, line.encode())
        os.close(ours)
        assert answers == [meant]
        assert asked.getvalue().endswith(said)
        assert asked.getvalue().startswith(
            "Stop instance «train-1»: what\nruns on it ends, and the bill\ngoes on.\nApprove?\n"
        )


@pytest.mark.anyio
async def test_what_waits_is_told_to_who_sits_there_with_the_line_that_approves_it() -> None:
    async with house() as made:
        outcome = await made.call("delete_instance", instance_id="train-1")
    lines = shown("delete_instance", outcome, width=80, more=["--simulator"]).splitlines()
    assert lines[0].startswith("Delete instance «train-1» (BRK-103339D, ACTIVE, ")
    assert "Tell the user" not in " ".join(lines)
    assert lines[-1] == f"barrack-mcp approve {outcome['approval']['id']} --simulator"
    assert max(cell_len(line) for line in lines) <= 80
    assert not any(mark in line for line in lines for mark in '{}"')


@pytest.mark.slow
@pytest.mark.promise("U3")
def test_an_api_that_stays_silent_is_told_by_all_the_time_and_names_doctor() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        place = f"http://127.0.0.1:{deaf.getsockname()[1]}/api"
        settings = environment(BARRACK_API_URL=place, BARRACK_API_KEY="sim-key", BARRACK_TIMEOUT="2")
        command = [sys.executable, "-m", "barrack_mcp", "call", "list_instances"]
        done = subprocess.run(command, env=settings, capture_output=True, check=False, timeout=PATIENT_S)
    assert done.returncode == 4
    # how many tries fit into the time is the machine's
    assert re.match(rb"No answer within [12](\.\d+)? s \(\d tries\)\.", done.stdout)
    assert b"barrack-mcp doctor" in done.stderr


@pytest.mark.slow
@pytest.mark.promise("U3")
def test_a_flag_that_is_wrong_is_named_as_it_was_typed() -> None:
    for words, env, name in (
        (["tools", "--toolsets", "foo"], {}, b"--toolsets names an unknown toolset"),
        (["tools"], {"BARRACK_TOOLSETS": "foo"}, b"BARRACK_TOOLSETS names an unknown toolset"),
    ):
        command = [sys.executable, "-m", "barrack_mcp", *words]
        done = subprocess.run(command, env=environment(**env), capture_output=True, check=False, timeout=PATIENT_S)
        assert (done.returncode, name in done.stderr) == (2, True), done.stderr
