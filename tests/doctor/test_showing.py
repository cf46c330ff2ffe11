"""A report, shown: at a terminal, as JSON, as a file for an issue; and the command's number for scripts."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from barrack_mcp.api.wire.loading import load
from barrack_mcp.api.wire.overrides import ApiOverride, OperationOverride, Overrides
from barrack_mcp.cli.doctor import Check, Drift, Read, Report, Verdict
from barrack_mcp.cli.doctor.command import diagnose
from barrack_mcp.cli.doctor.show import as_json, as_markdown, as_page
from barrack_mcp.cli.process import ExitCode
from barrack_mcp.simulator import create_app
from tests.doctor.asking import CANARY, examined, settings
from tests.support.running import KEY, listening

pytestmark = pytest.mark.anyio

PATH = Overrides(operations={"get_volume": OperationOverride(path="/disks/{volume_id}")})


def report(*, checks: tuple[Check, ...] = (), reads: tuple[Read, ...] = (), **more: Any) -> Report:
    usual: dict[str, Any] = {"version": "1", "override": Overrides(), "requests": 3, "seconds": 1.25}
    return Report(checks=checks, reads=reads, **usual | more)


def failing(name: str, code: ExitCode) -> Check:
    return Check(name, Verdict.FAILS, f"{name} fails.", "Mend it.", code)


def tried(verdict: Verdict, tool: str = "get_volume", **more: Any) -> Read:
    return Read(tool, "GET", "/volumes/{volume_id}/", verdict, **more)


def at(width: int, shown: Report) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(as_page(shown, width=width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_gravest_failure_gives_the_exit_code_and_comes_first() -> None:
    checks = (failing("record", ExitCode.FAILED), failing("key", ExitCode.KEY), failing("way", ExitCode.UNREACHABLE))
    assert report(checks=checks).exit_code == 4
    assert report(checks=checks).diagnosis.startswith("way fails. Mend it. key fails.")
    assert report(checks=(*checks, failing("state", ExitCode.USAGE))).exit_code == 2
    assert report(checks=checks[:2]).exit_code == 3
    assert report(checks=(Check("clock", Verdict.WARNING, "Off."),)).exit_code == 0


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.WORKS, 0),
        (Verdict.UNTRIED, 0),
        (Verdict.DIFFERS, 1),
        (Verdict.MISSING, 1),
        (Verdict.FAILS, 1),
        (Verdict.REFUSED, 3),
    ],
)
def test_each_verdict_on_a_read_has_its_exit_code(verdict: Verdict, code: int) -> None:
    assert report(reads=(tried(verdict), tried(Verdict.WORKS, "list_volumes"))).exit_code == code


def test_what_a_report_says_of_the_reads_is_one_sentence_a_verdict() -> None:
    reads = (
        tried(Verdict.WORKS, "a"),
        tried(Verdict.MISSING, "b"),
        tried(Verdict.DIFFERS, "c", override=PATH),
        tried(Verdict.REFUSED, "d"),
        tried(Verdict.FAILS, "e"),
        tried(Verdict.UNTRIED, "f"),
    )
    shown = report(reads=reads, override=PATH, checks=(Check("key accepted", Verdict.OK, "Yes."),))
    assert shown.diagnosis == (
        "The API answers and accepts the key; 1 of 5 reads tried work. Missing: b. Different: c (the lines to paste "
        "are below). Refused to this key: d. Failing: e. Not tried: f."
    )
    assert shown.seen_working == {"a"}


def test_drift_is_told_by_kind() -> None:
    drift = Drift(("a.x",) * 8, ("a.y",), {"a.z": "a list"}, {"a.id": "uid"})
    assert drift.sentence == (
        "Other type: a.z (a list). Perhaps renamed: a.id (now uid). New: a.x, a.x, a.x, a.x, a.x, a.x, and 2 more. "
        "Did not come: a.y."
    )
    assert not Drift()
    assert Drift().sentence == ""


@pytest.mark.parametrize("width", [80, 120])
async def test_at_a_terminal_no_line_is_wider_than_it_and_every_name_is_whole(tmp_path: Path, width: int) -> None:
    shown = at(width, await examined(settings(tmp_path, simulator="1")))
    assert max(map(len, shown.splitlines())) <= width
    for word in ("list_snapshot_eligible_instances", "not tried", "state folder", "every one a GET"):
        assert word in shown
    assert ("/instances/for-snapshot/" in shown) == (width == 120)


def test_the_lines_to_paste_load_as_they_are_shown() -> None:
    override = Overrides(api=ApiOverride(auth_header="X-API-Key", auth_template="{key}"), operations=PATH.operations)
    shown = at(80, report(reads=(tried(Verdict.DIFFERS, override=PATH),), override=override))
    lines = shown[shown.index("[api]") : shown.index("Requests to the API: 3")]
    assert load(lines.encode(), "pasted.toml") == override


def test_markdown_keeps_its_tables_whatever_the_text() -> None:
    check = Check("answer", Verdict.FAILS, "a|b <img src=x>", "c")
    text = as_markdown(report(checks=(check,), reads=(tried(Verdict.DIFFERS, override=PATH),), override=PATH))
    assert "| answer | fails | a\\|b &lt;img src=x&gt; c |" in text
    assert "```toml\n[operations.get_volume]" in text


async def test_a_report_can_be_shown_to_others(tmp_path: Path) -> None:
    """No id, name or address of the account, nor the key, is in it, in any form."""
    app = create_app()
    async with listening(app) as url:
        made = await examined(settings(tmp_path, url, api_key=KEY))
    text = json.dumps(as_json(made)) + as_markdown(made) + at(120, made)
    private = set(re.findall(r'"(?:\w*_?id|\w*name|\w*ip)": "([^"]{4,})"', json.dumps(app.state.barrack.state())))
    assert len(private) > 30
    assert not [each for each in private - {"Ubuntu"} if re.search(rf"\b{re.escape(each)}\b", text)]
    assert KEY not in text


async def test_the_command_shows_a_table_and_answers_the_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await diagnose(settings(tmp_path, simulator="1")) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("The API answers and accepts the key; 29 of 29 reads tried work.")
    assert shown.err == ""


async def test_the_command_answers_json_that_a_script_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await diagnose(settings(tmp_path, "http://127.0.0.1:9", api_key=""), as_json=True) == 4
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 4
    assert {each["name"] for each in told["checks"]} >= {"settings", "key", "connection"}
    assert told["reads"] == []


@pytest.mark.parametrize("name", ["report.md", "report.json"])
async def test_the_report_is_written_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    out = tmp_path / name
    assert await diagnose(settings(tmp_path, simulator="1"), out=out) == 0
    assert capsys.readouterr().out
    text = out.read_text(encoding="utf-8")
    assert CANARY not in text
    assert json.loads(text)["exit_code"] == 0 if name.endswith("json") else text.startswith("# barrack-mcp doctor")


async def test_a_report_that_can_not_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await diagnose(settings(tmp_path, simulator="1"), out=tmp_path / "no" / "report.md") == 2
    assert "can't be written" in capsys.readouterr().err
