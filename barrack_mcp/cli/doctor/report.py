"""What a diagnosis comes to: plain rows, one or two sentences, and a number for scripts. No secret, id, name or IP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from barrack_mcp.account.things import joined
from barrack_mcp.api.openapi.adopt import written
from barrack_mcp.api.wire.overrides import Overrides
from barrack_mcp.cli.process import ExitCode

_WORST_FIRST: Final = (ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.KEY, ExitCode.FAILED)
_NAMED: Final = 6


class Verdict(StrEnum):
    """What a check or a read came to."""

    OK = "ok"
    WARNING = "warning"
    """Worth a look; nothing fails for it."""
    FAILS = "fails"
    UNTRIED = "not tried"
    WORKS = "works"
    DIFFERS = "differs"
    """It answers, but not as we would ask or read it."""
    MISSING = "missing"
    """The API doesn't know the path."""
    REFUSED = "refused"
    """The key may not do this."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    Attributes:
        name: What it is.
        verdict: How it stands.
        sentence: What was seen.
        mend: What to do now; empty if nothing.
        code: The exit code if it fails.
    """

    name: str
    verdict: Verdict
    sentence: str
    mend: str = ""
    code: ExitCode = ExitCode.FAILED


@dataclass(frozen=True, slots=True)
class Drift:
    """How the shape of an answer differs from what we know, by names of fields with dots.

    Attributes:
        new: Fields we don't know.
        missing: Fields we know and that did not come.
        types: Fields of another type, with what came.
        renamed: Fields of ours that perhaps bear another name, and that name.
    """

    new: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.new or self.missing or self.types or self.renamed)

    @property
    def sentence(self) -> str:
        """The drift in a sentence a kind; empty if there is none."""
        told = {
            "Other type": ", ".join(f"{name} ({kind})" for name, kind in self.types.items()),
            "Perhaps renamed": ", ".join(f"{ours} (now {theirs})" for ours, theirs in self.renamed.items()),
            "New": joined(self.new, most=_NAMED),
            "Did not come": joined(self.missing, most=_NAMED),
        }
        return " ".join(f"{words}: {names}." for words, names in told.items() if names)


@dataclass(frozen=True, slots=True)
class Read:
    """One read, tried.

    Attributes:
        tool: Its tool.
        method: Its method here.
        path: Its path here.
        verdict: How it stands.
        sentence: What was seen, where that isn't plain.
        drift: How the shape of its answer differs; nothing fails for it.
        override: What to lay over the contract so that it works, or works better.
    """

    tool: str
    method: str
    path: str
    verdict: Verdict
    sentence: str = ""
    drift: Drift = field(default_factory=Drift)
    override: Overrides = field(default_factory=Overrides)

    @property
    def lines(self) -> str:
        """The override as lines to paste; empty if there is none."""
        return written(self.override) if self.override else ""


@dataclass(frozen=True, slots=True)
class Report:
    """A whole diagnosis.

    Attributes:
        version: Of this program.
        checks: Settings, state, network, key, in the order they were looked at.
        reads: Every read; empty if none could be tried.
        override: All overrides in one.
        requests: How many requests were sent, every one a GET.
        seconds: How long it took.
    """

    version: str
    checks: tuple[Check, ...]
    reads: tuple[Read, ...]
    override: Overrides
    requests: int
    seconds: float

    @property
    def lines(self) -> str:
        """What to put into the file of overrides; empty if nothing."""
        return written(self.override) if self.override else ""

    @property
    def seen_working(self) -> frozenset[str]:
        """Tools whose read worked as the contract in force has it."""
        return frozenset(read.tool for read in self.reads if read.verdict is Verdict.WORKS)

    @property
    def exit_code(self) -> ExitCode:
        """0 if all is well, else the gravest: 2 settings or state, 4 unreachable, 3 key, 1 a read or a record."""
        codes = {check.code for check in self.checks if check.verdict is Verdict.FAILS}
        codes |= {ExitCode.FAILED for read in self.reads if read.verdict in _FAILING}
        codes |= {ExitCode.KEY for read in self.reads if read.verdict is Verdict.REFUSED}
        return next((code for code in _WORST_FIRST if code in codes), ExitCode.OK)

    @property
    def diagnosis(self) -> str:
        """The whole in a few sentences, the gravest first."""
        failing = sorted(
            (check for check in self.checks if check.verdict is Verdict.FAILS),
            key=lambda check: _WORST_FIRST.index(check.code),
        )
        told = [f"{check.sentence} {check.mend}".strip() for check in failing]
        told += [self._about_reads()] if self.reads else []
        warned = [check.name for check in self.checks if check.verdict is Verdict.WARNING]
        if warned:
            told.append(f"Worth a look: {', '.join(warned)}.")
        return " ".join(told)

    def _about_reads(self) -> str:
        by: dict[Verdict, list[str]] = {}
        for read in self.reads:
            by.setdefault(read.verdict, []).append(read.tool)
        tried = len(self.reads) - len(by.get(Verdict.UNTRIED, []))
        works = len(by.get(Verdict.WORKS, []))
        if tried and len(by.get(Verdict.MISSING, [])) == tried:
            return (
                f"Something answers there and speaks JSON, but knows none of the {tried} paths tried: BARRACK_API_URL "
                "is wrong, or this API has other paths (with its OpenAPI document: barrack-mcp contract adopt)."
            )
        accepted = any(check.name == "key accepted" and check.verdict is Verdict.OK for check in self.checks)
        told = [f"The API answers{' and accepts the key' if accepted else ''}; {works} of {tried} reads tried work."]
        for verdict in (Verdict.MISSING, Verdict.DIFFERS, Verdict.REFUSED, Verdict.FAILS):
            if tools := by.get(verdict):
                lines = " (the lines to paste are below)" if verdict is Verdict.DIFFERS and self.override else ""
                told.append(f"{_WORDS[verdict]}: {joined(tools, most=_NAMED)}{lines}.")
        if untried := by.get(Verdict.UNTRIED):
            told.append(f"Not tried: {joined(untried, most=_NAMED)}.")
        return " ".join(told)


_FAILING: Final = (Verdict.DIFFERS, Verdict.MISSING, Verdict.FAILS)
_WORDS: Final = {
    Verdict.MISSING: "Missing",
    Verdict.DIFFERS: "Different",
    Verdict.REFUSED: "Refused to this key",
    Verdict.FAILS: "Failing",
}
