"""The container image as its Dockerfile describes it: what is started, as whom, with which environment."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parents[2] / "manifests" / "docker" / "Dockerfile"


@dataclass(frozen=True)
class Image:
    """What a Dockerfile makes.

    Args:
        bases: What each stage begins with.
        copied: What is copied from the checkout.
        folders: The folders that are made, each with its owner and its mode.
        env: The environment.
        user: As whom it runs.
        port: On which port it listens.
        entrypoint: What is started.
        command: Its arguments, where whoever starts it gives none.
        check: What tells whether it is well.
    """

    bases: tuple[str, ...]
    copied: tuple[str, ...]
    folders: dict[str, tuple[str, str]]
    env: dict[str, str]
    user: str
    port: int
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    check: tuple[str, ...]


def read_image(file: Path = FILE) -> Image:
    """Read a Dockerfile; what needs a shell when it runs is refused."""
    steps = list(_steps(file.read_text(encoding="utf-8")))
    last = max(number for number, (word, _) in enumerate(steps) if word == "FROM")
    given = {name: value for word, rest in steps if word == "ARG" for name, value in [rest.split("=", 1)]}
    final = dict(steps[last:])
    made = shlex.split(final["RUN"])
    at = {flag: made[made.index(flag) + 1] for flag in ("-o", "-g", "-m")}
    return Image(
        bases=tuple(_filled(rest.split()[0], given) for word, rest in steps if word == "FROM"),
        copied=tuple(
            name for word, rest in steps if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]
        ),
        folders={name: (f"{at['-o']}:{at['-g']}", at["-m"]) for name in made if name.startswith("/")},
        env=dict(pair.split("=", 1) for pair in shlex.split(final["ENV"])),
        user=final["USER"],
        port=int(final["EXPOSE"]),
        entrypoint=_words(final["ENTRYPOINT"]),
        command=_words(final["CMD"]),
        check=_words(final["HEALTHCHECK"].partition("CMD ")[2]),
    )


def _steps(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        yield word, rest.strip()


def _filled(text: str, given: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: given[found[1]], text)


def _words(text: str) -> tuple[str, ...]:
    words: Sequence[str] = json.loads(text)
    return tuple(words)
