"""Hold the product's HTTP application against the official conformance suite, in each of its requirement sets.

The suite asks for tools, resources and prompts of its own; tests/conformance mounts them beside the product's. What
needs none of them is asked of the bare product, too. An exit code of 0 is not enough here: no check may fail or warn
without a reason named below, and exactly as many pass as did when this was written.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
from mcp import MCPDeprecationWarning

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.conformance.serving import served

LONGEST_S = 240


@dataclass(frozen=True)
class Run:
    """One use of the suite.

    Args:
        name: For the report, and for its folder.
        version: Of the suite.
        arguments: Its command line, after the address.
        passes: How many checks pass, those of NOT_APPLICABLE not counted.
        fixtures: Whether the suite's own tools, resources and prompts are mounted.
    """

    name: str
    version: str
    arguments: tuple[str, ...]
    passes: int
    fixtures: bool = True


STABLE, ALPHA = "0.1.16", "0.2.0-alpha.12"
BARE = {
    "2025-11-25": {
        "server-initialize": 3,
        "server-session-lifecycle": 3,
        "ping": 2,
        "tools-list": 3,
        "server-sse-multiple-streams": 2,
        "dns-rebinding-protection": 2,
    },
    "2026-07-28": {
        "tools-list": 4,
        "server-sse-multiple-streams": 1,
        "dns-rebinding-protection": 2,
        "http-header-validation": 14,
    },
}
"""Scenarios that ask for nothing but what any server with tools has, by revision, and their checks."""

RUNS = (
    Run("stable", STABLE, (), 40),
    Run("2025-11-25", ALPHA, ("--requirements", "2025-11-25"), 81),
    Run("2026-07-28", ALPHA, ("--requirements", "2026-07-28"), 152),
    *(
        Run(f"bare {revision} {name}", ALPHA, ("--spec-version", revision, "--scenario", name), checks, fixtures=False)
        for revision, scenarios in BARE.items()
        for name, checks in scenarios.items()
    ),
)

NOT_APPLICABLE = {
    "tasks-": "an extension that the product doesn't offer; the suite doesn't score it",
    "server-sse-polling": "wants streams that can be taken up again, which are recommended and not required: the "
    "product keeps no past events; pending in the suite, which doesn't score it",
}
"""Scenarios that may fail, by the beginning of their name, and why."""


async def run(suite: Path, run: Run, out: Path) -> Counter[str]:
    """Run the suite once and count its checks by their status."""
    command = [str(suite / run.version / "node_modules/.bin/conformance"), "server"]
    async with served(fixtures=run.fixtures) as url:
        with anyio.fail_after(LONGEST_S):
            done = await anyio.run_process(
                [*command, "--url", url, *run.arguments, "-o", str(out)], check=False, stderr=subprocess.STDOUT
            )
    counted, wrong = verdicts(out)
    if done.returncode or wrong or counted["SUCCESS"] != run.passes:
        sys.stdout.write(done.stdout.decode(errors="replace"))
        sys.stdout.write("\n".join(wrong) + "\n")
        raise SystemExit(f"{run.name}: exit {done.returncode}, {dict(counted)}, {run.passes} should pass")
    return counted


def verdicts(out: Path) -> tuple[Counter[str], Sequence[str]]:
    """Count the checks that a run left behind, and name those that went wrong without a reason."""
    counted: Counter[str] = Counter()
    wrong = []
    for path in sorted(out.rglob("checks.json")):
        scenario = path.parent.name.removeprefix("server-")
        excused = scenario.startswith(tuple(NOT_APPLICABLE))
        for check in json.loads(path.read_text(encoding="utf-8")):
            status = check["status"]
            counted["not applicable" if excused else status] += 1
            if status in {"FAILURE", "WARNING"} and not excused:
                wrong.append(f"{scenario}: {check['id']}: {status}: {check.get('errorMessage')}")
    return counted, wrong


async def main(suite: Path) -> None:
    """Run all and say how many checks passed."""
    for each in RUNS:
        started = time.monotonic()
        counted = await run(suite, each, suite / "out" / each.name.replace(" ", "-"))
        shown = ", ".join(f"{count} {status.lower()}" for status, count in sorted(counted.items()))
        sys.stdout.write(f"{each.name}: {shown} ({time.monotonic() - started:.0f} s)\n")


# the suite sends wrong hosts and broken states on purpose, and still asks for logging, which a later revision gave up
logging.getLogger("mcp").setLevel(logging.ERROR)
warnings.simplefilter("ignore", MCPDeprecationWarning)
anyio.run(main, Path(sys.argv[1]))
