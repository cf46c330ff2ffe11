"""What a person at a terminal sees: tables and records that fit, what a tool takes, what a shell completes."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rich.cells import cell_len

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.catalogue import BY_TOOL, OFFERS, OPERATIONS
from barrack_mcp.cli.tools.completion import arguments_beginning, tools_beginning
from barrack_mcp.cli.tools.layout import record, table
from barrack_mcp.cli.tools.listing import as_page, as_table
from barrack_mcp.cli.tools.showing import as_command, shown
from barrack_mcp.config import Settings
from tests.support.house import house
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


@pytest.mark.slow
def test_ctrl_c_at_a_question_ends_the_call_and_says_that_nothing_was_approved() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "barrack_mcp", "call", "delete_instance", "instance_id=train-2", "--simulator"]
    with (
        heeded(signal.SIGINT),
        subprocess.Popen(
            command, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        ) as process,
    ):
        os.close(theirs)
        said = b""
        try:
            while b"Name: " not in said:
                said += heard(ours)
            process.send_signal(signal.SIGINT)
            while chunk := heard(ours):
                said += chunk
            assert process.wait(timeout=60) == 130
        finally:
            process.kill()
    os.close(ours)
    assert b"Nothing was approved, and nothing was sent." in said
    assert b"Traceback" not in said
