"""Change the guard's code in one place at a time, and see that a test fails; what survives is argued in a file.

Usage: .ci/mutation [ROOM ...]     all rooms if none is named; see `ROOMS`

For each room the tests beside it are run against every change that mutmut makes, in a copy of this checkout. The
survivors are written to tests/survivors.toml; a reason that stands there already is kept. It ends with 1 while one of
them has no reason. A room takes from a minute to an hour, so the other checks don't wait for this one.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[1]
SURVIVORS: Final = CHECKOUT / "tests" / "survivors.toml"
ROOMS: Final = {
    "decide": (
        ["guard/decide.py", "guard/exposure.py"],
        ["tests/guard/test_decide.py", "tests/guard/test_exposure.py"],
    ),
    "guard": (
        [
            "guard/guard.py",
            *(f"guard/ruling/{name}.py" for name in ("assessment", "call", "holding", "ruling")),
            *(f"guard/consent/{name}.py" for name in ("elicitation", "out_of_band")),
        ],
        ["tests/guard"],
    ),
    "approvals": (
        [f"guard/approvals/{name}.py" for name in ("approvals", "approvers")],
        ["tests/test_approvals.py", "tests/team/test_approvers.py"],
    ),
    "turns": (
        [f"guard/{name}.py" for name in ("turns", "opening", "passphrase", "ruling/limits", "consent/waiting")],
        [f"tests/guard/test_{name}.py" for name in ("turns", "line", "opening", "keys", "passphrase", "settling")],
    ),
    "asking": (
        [f"guard/asking/{name}.py" for name in ("asker", "meanings", "question", "telling")],
        [f"tests/guard/test_{name}.py" for name in ("asking", "whole_questions", "guard", "letter", "nobody")],
    ),
    "sums": (
        [
            *(f"guard/plans/{name}.py" for name in ("states", "openings", "draft")),
            *(f"guard/plans/spending/{name}.py" for name in ("purchase", "stock", "storage", "restoring")),
        ],
        ["tests/plans", "tests/guard/test_states.py", "tests/guard/test_kept.py", "tests/guard/test_wide.py"],
    ),
    "things": (
        [
            f"guard/plans/{name}.py"
            for name in (
                *("firewalls", "instances", "volumes", "snapshots", "images", "scripts", "keys", "users"),
                *("spending/deploy", "__init__"),
            )
        ],
        [
            *(f"tests/plans/test_{name}.py" for name in ("letter_of_things", "letter", "every_plan")),
            *(
                f"tests/plans/test_{name}_plans.py"
                for name in ("storage", "network_and_access", "instance", "purchase")
            ),
        ],
    ),
    "writer": (
        [
            "dispatch/witness.py",
            *(f"dispatch/writes/{name}.py" for name in ("writer", "sent", "ledger", "looking/look", "looking/view")),
        ],
        ["tests/test_ledger.py", "tests/looking", "tests/writing", "tests/audit/test_shown.py"],
    ),
    "looks": (
        [
            f"dispatch/writes/{name}.py"
            for name in (
                *(f"looking/{name}" for name in ("made", "parts", "changes", "sign")),
                *("original", "replaced", "keyfile"),
            )
        ],
        ["tests/looking", "tests/writing"],
    ),
    "store": (
        ["state/store/*.py", "state/secret.py", "state/reach.py"],
        ["tests/store", "tests/test_ledger.py", "tests/guard/test_keys.py", "tests/settings/test_reach.py"],
    ),
    "retry": (["api/retry.py"], ["tests/sending/test_retry.py", "tests/sending/test_pace.py"]),
    "marks": (["catalogue/marks.py"], ["tests/test_mask.py"]),
    "redact": (["api/redact.py"], ["tests/test_redact.py", "tests/test_echo.py"]),
    "text": (["api/text.py"], ["tests/test_text.py", "tests/page/test_view.py"]),
}
"""By its name, what is changed and which tests have to see it."""
ANEW: Final = frozenset({"marks"})
"""Rooms with code that runs when it is imported, or whose answers are kept."""
SLOW: Final = frozenset({"retry"})
"""Rooms that only slow tests see whole."""

_CONFIG: Final = """
[tool.mutmut]
source_paths = ["barrack_mcp"]
only_mutate = {files}
do_not_mutate_patterns = ['\\b_log\\.']
type_check_command = {types}
pytest_add_cli_args = ["-n0", "-p", "no:cacheprovider", "-W", "ignore", "-m", "{marked}"]
pytest_add_cli_args_test_selection = {tests}
also_copy = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "manifests", "tests"]
timeout_multiplier = 6.0
use_setproctitle = false
"""
_TYPES: Final = [sys.executable, "-m", "mypy", "--output=json", "--no-warn-unreachable", "--no-warn-unused-ignores"]
"""That a condition is always true is no error here: it is what some changes make of one, to see who notices."""
_HEAD: Final = (
    "# Changes of the code that no test sees, each with the reason why none has to.\n"
    "# Made by .ci/mutation.py, which keeps the reasons.\n"
)


@dataclass(frozen=True, order=True)
class Survivor:
    """A change that no test saw.

    Attributes:
        room: The room whose tests did not see it.
        where: The function that was changed.
        was: Its lines before.
        became: The same after.
    """

    room: str
    where: str
    was: str
    became: str


def survivors(room: str) -> Iterator[Survivor]:
    """Make every change of a room in a copy of the checkout, and name those that no test saw."""
    files, tests = ROOMS[room]
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch, "copy")
        listed = _said(["git", "ls-files", "-z"], CHECKOUT)
        for name in filter(None, listed.split("\0")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, copy / name)
        there = [test for test in tests if (copy / test).exists()]
        marked = "slow or not slow" if room in SLOW else "not slow"
        changed = [f"barrack_mcp/{file}" for file in files]
        types = [*_TYPES, *(str(path.relative_to(copy)) for file in changed for path in copy.glob(file))]
        config = _CONFIG.format(files=changed, types=types, tests=there, marked=marked)
        with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
            file.write(config)
        into = copy / "survivors.json"
        anew = ["--anew"] if room in ANEW else []
        subprocess.run([sys.executable, CHECKOUT / ".ci/mutating.py", into, *anew], cwd=copy, check=True)  # noqa: S603 - our own words
        told = json.loads(into.read_text(encoding="utf-8"))
        sys.stdout.write(f"{room}: {told['counts']}\n")
        for name, shown in told["shown"].items():
            yield survivor(room, name, shown)


def _said(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own words


def survivor(room: str, name: str, shown: str) -> Survivor:
    """Read what mutmut shows of a change: its lines before and after."""
    lines = shown.splitlines()
    was = "\n".join(line[1:].strip() for line in lines if line.startswith("-") and not line.startswith("---"))
    became = "\n".join(line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++"))
    where = re.sub(r"__mutmut_\d+$", "", name).replace("xǁ", "").replace("ǁ", ".").replace(".x_", ".")
    return Survivor(room, where.removeprefix("barrack_mcp."), was, became)


def reasons() -> dict[Survivor, str]:
    """Read the reasons that were given before."""
    if not SURVIVORS.exists():
        return {}
    table = tomllib.loads(SURVIVORS.read_text(encoding="utf-8"))
    return {
        Survivor(each["room"], each["where"], each["was"], each["became"]): each["why"]
        for each in table.get("survivor", [])
    }


def write(found: dict[Survivor, str]) -> None:
    """Write the survivors down, in an order that does not hang on the run."""
    text = _HEAD
    for each in sorted(found):
        text += "\n[[survivor]]\n"
        for name in ("room", "where", "was", "became"):
            text += f"{name} = {_quoted(getattr(each, name))}\n"
        text += f"why = {_quoted(found[each])}\n"
    SURVIVORS.write_text(text, encoding="utf-8")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def main(rooms: list[str]) -> int:
    """Try the rooms named; 1 while a survivor has no reason."""
    for room in rooms:
        fresh = set(survivors(room))
        known = reasons()
        found = {each: why for each, why in known.items() if each.room != room}
        write(found | {each: known.get(each, "") for each in fresh})
    found = reasons()
    unargued = [each for each, why in found.items() if not why]
    for each in unargued:
        sys.stdout.write(f"no test sees, and nobody says why: {each.where}: {each.was!r} -> {each.became!r}\n")
    return 1 if unargued else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [*ROOMS]))
