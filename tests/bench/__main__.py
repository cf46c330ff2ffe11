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

from tests.bench import calling, commands, growing, guarded, loading, report, sizes, starting
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
        return starting.measured(servers, run.folder, run.rounds(12, 3))


def calls(run: Run) -> Sequence[Figure]:
    """Call everything that can be called, by each transport, in each era."""
    found = calling.measured([OURS, EMPTY, *run.peers], run.folder, run.rounds(30, 6))
    return [calling.in_process(run.rounds(6, 2), run.folder), *found]


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
    return growing.measured(run.rounds(5, 1))


def command(run: Run) -> Sequence[Figure]:
    """Run a command as a person does."""
    return commands.measured(run.folder, run.rounds(10, 2))


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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument("--alone", action="store_true", help="beside an empty server only: installs nothing")
    parser.add_argument("--peers", type=Path, default=HERE / ".bench", help="where the other servers are installed")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="these parts only")
    given = parser.parse_args()
    with timed("peers"):
        peers = [] if given.alone or given.quick else installed(given.peers)
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="barrack-mcp-bench-") as folder:
        run = Run(Path(folder), peers, quick=given.quick)
        for name in given.only:
            with timed(name):
                found += SECTIONS[name](run)
    sys.stdout.write(f"{report.machine()}\n\n{report.table(found)}\n")


if __name__ == "__main__":
    main()
