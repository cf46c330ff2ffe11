"""How fast it is, beside others, in one command: `python -m tests.bench`; `--help` tells the rest.

Everything is measured in turns and told as a ratio with its spread; nothing here judges. The table and the picture of
docs/performance.md are made by `--write`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from tests.bench import budget, calling, commands, growing, guarded, loading, report, sizes, starting
from tests.bench.figures import Figure
from tests.bench.servers import EMPTY, OURS, Server, installed, reaching
from tests.bench.simulating import simulating

HERE: Final = Path(__file__).parents[2]
Section: TypeAlias = Callable[["Run"], Sequence[Figure]]


class Run:
    """One run of the command.

    Args:
        folder: Where whatever is started may put things.
        peers: The servers beside the empty one.
        quick: Whether it shall take a minute rather than ten.
    """

    def __init__(self, folder: Path, peers: Sequence[Server], *, quick: bool) -> None:
        self.folder = folder
        self.peers = peers
        self._quick = quick

    def rounds(self, thorough: int, quick: int) -> int:
        """How often to do something."""
        return quick if self._quick else thorough

    @property
    def quick(self) -> bool:
        """Whether little time is to be spent."""
        return self._quick


def start(run: Run) -> Sequence[Figure]:
    """Start everything in turns, ours before an API at a socket, as people have it."""
    with simulating(run.folder) as api:
        servers = [reaching(api), EMPTY, *run.peers]
        return starting.measured(servers, run.folder, run.rounds(8, 2))


def calls(run: Run) -> Sequence[Figure]:
    """Call everything that can be called, by each transport, in each era."""
    found = calling.measured([OURS, EMPTY, *run.peers], run.folder, run.rounds(30, 3))
    return [calling.in_process(run.rounds(6, 1), run.folder), *found]


def clients(run: Run) -> Sequence[Figure]:
    """Let several clients call at once."""
    return loading.measured(
        [OURS, EMPTY, *run.peers], run.folder, run.rounds(6, 1), seconds=1.5 if not run.quick else 1
    )


def guard(run: Run) -> Sequence[Figure]:
    """Have calls made that ask a person."""
    return guarded.measured(run.rounds(5, 1), guarded.TOOLS if not run.quick else guarded.TOOLS[:2])


def rows(run: Run) -> Sequence[Figure]:
    """Read accounts of different sizes."""
    return growing.measured(run.rounds(5, 1), growing.ROWS if not run.quick else growing.ROWS[:3])


def command(run: Run) -> Sequence[Figure]:
    """Run a command as a person does."""
    return commands.measured(run.folder, run.rounds(10, 1))


def size(run: Run) -> Sequence[Figure]:
    """Ask for the tools."""
    return sizes.measured([OURS, *run.peers], run.folder)


SECTIONS: Final[Mapping[str, Section]] = {
    "start": start,
    "calls": calls,
    "clients": clients,
    "command": command,
    "guard": guard,
    "rows": rows,
    "size": size,
}


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Say on stderr what is measured, and how long that took."""
    sys.stderr.write(f"{name} ... ")
    sys.stderr.flush()
    begun = time.monotonic()
    yield
    sys.stderr.write(f"{time.monotonic() - begun:.0f} s\n")


TRIES: Final = 3
"""Measurements after which an excess is one."""


def checked(run: Run) -> int:
    """Measure what has a budget, again where it was beyond its limit; answers an exit code."""

    def started() -> Sequence[Figure]:
        return starting.measured([OURS, EMPTY], run.folder, 3, calls=10)

    def called() -> Sequence[Figure]:
        return calling.measured([OURS, EMPTY], run.folder, 5, ways=["stdio", "http"], eras=["modern"])

    def pressed() -> Sequence[Figure]:
        return loading.measured([OURS, EMPTY], run.folder, 2, seconds=0.7, clients=[8])

    def commanded() -> Sequence[Figure]:
        return commands.measured(run.folder, 2)

    failed = []
    for measure in (started, called, pressed, commanded):
        for number in range(TRIES):
            figures = measure()
            sys.stdout.writelines(f"{name}: {ratio:.2f}\n" for name, ratio in budget.ratios(figures).items())
            if not (excess := budget.beyond(figures)):
                break
            if number == TRIES - 1:
                failed += [
                    f"{name} is {ratio:.2f}, beyond {budget.budgets()[name].limit:g}" for name, ratio in excess.items()
                ]
    for sentence in failed:
        sys.stdout.write(f"In {TRIES} measurements: {sentence} (tests/bench/budget.toml).\n")
    return 1 if failed else 0


def main() -> int:
    """Measure and print; answers an exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument("--alone", action="store_true", help="beside an empty server only: installs nothing")
    parser.add_argument("--peers", type=Path, default=HERE / ".bench", help="where the other servers are installed")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="these parts only")
    parser.add_argument("--write", action="store_true", help="put table and picture into docs/performance.md")
    parser.add_argument("--check", action="store_true", help="fail if something is clearly beyond budget.toml")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="barrack-mcp-bench-") as folder:
        if given.check:
            return checked(Run(Path(folder), [], quick=True))
        with timed("peers"):
            peers = [] if given.alone or given.quick else installed(given.peers)
        found: list[Figure] = []
        run = Run(Path(folder), peers, quick=given.quick)
        for name in given.only:
            with timed(name):
                found += SECTIONS[name](run)
    sys.stdout.write(f"{report.machine()}\n\n{report.table(found)}\n")
    if given.write:
        report.write(HERE / "docs" / "performance.md", HERE / "docs" / "measured.svg", found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
