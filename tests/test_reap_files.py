"""The files by which a timer reaps: each is what its reader takes, and names commands and settings that there are."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from typer.main import get_command

from barrack_mcp.cli.app import MODULES
from barrack_mcp.cli.operator import reap
from barrack_mcp.config import NAMES

FILES = Path(__file__).parents[1] / "manifests" / "reap"
ALL = sorted(path.name for path in FILES.iterdir())


def test_there_is_one_for_cron_and_two_for_systemd() -> None:
    assert ALL == ["barrack-mcp-reap.service", "barrack-mcp-reap.timer", "crontab"]


@pytest.mark.parametrize("name", ALL)
def test_each_names_settings_and_a_command_that_there_are(name: str) -> None:
    text = (FILES / name).read_text(encoding="utf-8")
    assert set(re.findall(r"BARRACK_[A-Z_]+", text)) <= NAMES.keys()
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    words = {"barrack-mcp", "barrack-mcp-reap"}
    assert set(re.findall(r"barrack-mcp(?:-\w+)*", text)) <= words
    ran = re.findall(r"barrack-mcp (\w+)((?: --?\w+)*)", text)
    assert all(command in MODULES for command, _ in ran)
    options = {each for parameter in get_command(reap.app).params for each in parameter.opts}
    assert all(set(flags.split()) <= options for _, flags in ran)


def test_the_crontab_has_one_line_that_runs_every_ten_minutes() -> None:
    lines = (FILES / "crontab").read_text(encoding="utf-8").splitlines()
    runs = [line for line in lines if not line.startswith("#") and not re.match(r"[A-Z_]+=", line)]
    assert runs == ["*/10 * * * * barrack-mcp reap"]


def test_the_units_belong_together() -> None:
    units = {}
    for name in ("service", "timer"):
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[method-assign,assignment] # systemd's names have capitals
        unit.read(FILES / f"barrack-mcp-reap.{name}", encoding="utf-8")
        units[name] = unit
    assert units["service"]["Service"]["ExecStart"] == "%h/.local/bin/barrack-mcp reap"
    assert units["service"]["Service"]["Type"] == "oneshot"
    assert units["timer"]["Timer"]["OnUnitActiveSec"] == "10min"
    assert units["timer"]["Install"]["WantedBy"] == "timers.target"
