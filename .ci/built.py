"""Hold the wheel and the source distribution to what belongs in them; the folder that has both is the only argument."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final

CHECKOUT: Final = Path(__file__).parents[1]
PACKAGE: Final = {".py", ".json", ".md", ".html", ".css", ".js", ".typed"}
"""Endings of the package's own files."""
BESIDE: Final = {".py", ".md", ".json", ".toml", ".txt", ".svg", ".png", ".service", ".timer", ".yaml"}
"""Endings of what a source distribution has beside the package."""
ADDED: Final = {
    "PKG-INFO",
    ".gitignore",
    "LICENSE",
    "manifests/reap/crontab",
    "manifests/docker/Caddyfile",
    "manifests/docker/Dockerfile",
    "manifests/docker/Dockerfile.dockerignore",
}
"""Files of a source distribution without such an ending: the first two are put there by the build."""


def tracked(folder: str) -> set[str]:
    """What git has in a folder."""
    listing = ["git", "ls-files", folder]
    done = subprocess.run(listing, cwd=CHECKOUT, capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    return {*done.stdout.splitlines()}


def in_wheel(path: Path) -> set[str]:
    """What is installed, without what the build says about it."""
    with zipfile.ZipFile(path) as wheel:
        return {name for name in wheel.namelist() if ".dist-info/" not in name}


def in_source(path: Path) -> set[str]:
    """What is unpacked, from the folder of its version on."""
    with tarfile.open(path) as source:
        return {member.name.partition("/")[2] for member in source if member.isfile()}


def strange(names: set[str], endings: set[str]) -> list[str]:
    """The files whose names end like none of ours."""
    return sorted(name for name in names if PurePosixPath(name).suffix not in endings and name not in ADDED)


def main(dist: Path) -> None:
    """Say what is built, and end with an error if a file is too many or missing."""
    (wheel,), (source,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    package, both = in_wheel(wheel), in_source(source)
    wrong = {
        "in the wheel, and no file of ours": strange(package, PACKAGE),
        "in the source, and no file of ours": strange(both, PACKAGE | BESIDE),
        "in the wheel alone": sorted(package - tracked("barrack_mcp")),
        "not in the wheel": sorted(tracked("barrack_mcp") - package),
        "not in the source": sorted((tracked("barrack_mcp") | tracked("tests")) - both),
    }
    sys.stdout.write(f"{wheel.name}: {len(package)} files; {source.name}: {len(both)} files\n")
    if found := {what: names for what, names in wrong.items() if names}:
        raise SystemExit("\n".join(f"{what}: {', '.join(names)}" for what, names in found.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
