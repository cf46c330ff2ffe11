"""Run mutmut on the checkout that it is started in, without the changes that decide nothing; say what survived.

Usage, within a copy of the checkout that has a section for mutmut: mutating.py SURVIVORS.json [--anew]

Left out as kinds, for one reason each:

- Words of a sentence: a text with a blank in it is written for people, and a wrong letter in it is for a reader to
  see. Texts without a blank are names, states and keys: every one of them is changed, once, and so is what is put into
  a sentence.
- What asserts that two lists are of one length, as `zip` does if it is told to be strict: it never fails.
- What is logged: nothing is decided by it. That no secret stands in it is shown elsewhere.
- What mypy refuses: the types are checked before the tests, wherever this project is tried.

mutmut by itself leaves out what stands outside of functions, such as tables, and functions with a decorator, such as
properties. `--anew` is for code that runs when it is imported, or whose answers are kept: it is imported anew for each
change, and every test is run, since none can be said to reach it.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import libcst as cst
from mutmut import __main__ as mutmut
from mutmut.mutation import mutators
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.runners.harness import PytestRunner
from mutmut.state import state
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.workers.isolation import ForkRunner

SEEN = frozenset({"killed", "timeout", "caught by type check"})
ANEW = "--anew"
STRICT = re.compile(r",\s*(strict=\w+)?(?=\))")
MOST_S = 8
"""Seconds of tests for one change. What they don't see may be seen by others, so this never hides one."""


def change_text(node: cst.BaseString) -> Iterable[cst.BaseString]:
    """Change a text as mutmut does first, unless it is written for people."""
    if not (isinstance(node, cst.SimpleString) and " " in node.value):
        yield from itertools.islice(mutators.operator_string(node), 1)


def is_of_lengths_alone(diff: str) -> bool:
    """Whether a change is only of what asserts that two lists are of one length."""
    was, became = ([STRICT.sub("", line[1:]) for line in diff.splitlines()[2:] if line[0] == sign] for sign in "-+")
    return was == became and "zip(" in diff


class AnewRunner(PytestRunner):
    """Imports the product and its tests anew for each change."""

    def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        """Run tests in this process, which was forked for one change."""
        for name in [name for name in sys.modules if name.split(".")[0] in {"barrack_mcp", "tests", "conftest"}]:
            del sys.modules[name]
        return super().run_tests(mutant_name=mutant_name, tests=tests)


class Runner(ForkRunner):
    """Starts a process for each change; the tests are run without one only once, to find out what each reaches."""

    def collect_stats(self, tests: Iterable[str] | None) -> int:
        """Find out which test reaches which function."""
        code = super().collect_stats(tests)
        if isinstance(self.test_runner, AnewRunner):
            found = state()
            for function in found.current_function_hashes:
                found.tests_by_mangled_function_name[function] = set(found.duration_by_test)
        return code

    def submit(self, mutant_name: str, tests: list[str], cpu_time_limit: int, estimated_time: float) -> None:
        """Try a change by as many of the tests that reach its function as their time allows.

        The quick ones come first, so that a whole table of small cases is tried; of slow ones that are alike, one.
        """
        took = state().duration_by_test
        rounds: list[tuple[float, float, str]] = []
        for _, same in itertools.groupby(sorted(tests), key=lambda test: test.partition("[")[0]):
            alike = sorted(same, key=took.__getitem__)
            rounds += [(turn * took[test], took[test], test) for turn, test in enumerate(alike, 1)]
        rounds.sort()
        sums = itertools.accumulate(seconds for _, seconds, _ in rounds)
        chosen = [test for (_, _, test), sum_ in zip(rounds, sums, strict=True) if sum_ <= MOST_S] or [rounds[0][2]]
        super().submit(mutant_name, chosen, min(cpu_time_limit, 10 * MOST_S), min(estimated_time, MOST_S))

    def run_clean_tests(self, tests: Iterable[str]) -> int:  # noqa: ARG002 - that run was it
        """Whether the tests pass where nothing is changed."""
        return 0


def main(into: Path, *, anew: bool) -> None:
    """Try every change, and write down how many ended how, and what mutmut shows of those that nothing saw."""
    mutators.mutation_operators[:] = [
        (kind, change_text if change is mutators.operator_string else change)
        for kind, change in mutators.mutation_operators
    ]
    mutmut.get_mutant_runner = lambda workers=1: Runner(workers, AnewRunner() if anew else PytestRunner())
    mutmut.run.callback((), max_children=1)
    counts: Counter[str] = Counter()
    shown = {}
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            status, diff = status_by_exit_code[code], get_diff_for_mutant(name, path=path)
            if status not in SEEN and is_of_lengths_alone(diff):
                status = "skipped"
            counts[status] += 1
            if status not in SEEN | {"skipped"}:
                shown[name] = diff
    into.write_text(json.dumps({"counts": counts, "shown": shown}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), anew=ANEW in sys.argv)
