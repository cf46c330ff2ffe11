"""No file and no command makes anybody fetch a package of our name from a registry, as long as none there is ours."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from barrack_mcp.cli import manifests
from barrack_mcp.cli.install.launching import PUBLISHED, Launcher, NoLauncherError, choose_command
from tests.test_install_cli import typed

CHECKOUT = Path(__file__).parents[1]
NAME = r"barrack[-_.]mcp"
FETCHERS = (
    r"uvx|pipx +(?:run|install|upgrade)|uv +(?:tool +(?:run|install|upgrade)|pip +install|add|run +--with)"
    r"|pip3? +(?:install|download|wheel)"
    r"|(?:python3?|py) +-m +pip +install|poetry +add|pdm +add|conda +install|npx|bunx|npm +(?:i|install|exec)"
    r"|pnpm +(?:add|dlx)|yarn +(?:add|dlx)|brew +install|docker +(?:run|pull)"
)
OPTIONS = r"(?:[ \t]+[^\s|&;]+)*?"
FROM_HERE = r"(?:--from|--spec|-e|--editable)[ =]['\"]?[.~/]"
TYPED = re.compile(rf"\b(?:{FETCHERS})(?P<between>{OPTIONS})[ \t]+['\"]?{NAME}\b(?!/)", re.IGNORECASE)
"""A line for a shell: what fetches, options, our name."""
AS_DATA = re.compile(
    r"\b(?:command|program|runtimeHint)[\"']?\s*[:=]\s*\[?\s*[\"'](?:[^\"']*/)?(?:uvx|pipx|npx|bunx)[\"']",
    re.IGNORECASE,
)
"""An entry of a client or a registry that fetches what it starts."""
REGISTRY = re.compile(
    rf"[\"']?(?:identifier|registryType)[\"']?\s*[:=]\s*[\"'](?:{NAME}|pypi|npm|oci)[\"']"
    rf"|[\"']{NAME}\s*(?:\[[^\]]*\])?\s*(?:==|>=|~=|@)|(?:pypi\.org/project|npmjs\.com/package)/{NAME}"
    rf"|pkg:pypi/{NAME}|cursor://\S+config=[\w%]{16}",
    re.IGNORECASE,
)
"""A package named for a registry, a requirement of ours, a link to one."""

IMAGE = re.compile(rf"^(?:\s*image:|(?-i:FROM))\s*['\"]?(?!\S*\.example/)\S*{NAME}\b", re.IGNORECASE | re.MULTILINE)
"""An image that is not built beside it; that of a registry which can't be is to be replaced by one's own."""


def fetched(text: str) -> Iterator[str]:
    """Every place that would fetch a package of our name."""
    joined = text.replace("\\\n", " ")
    for found in TYPED.finditer(joined):
        if not re.search(FROM_HERE, found[0]):
            yield found[0]
    for pattern in (AS_DATA, REGISTRY):
        yield from (found[0] for found in pattern.finditer(joined))
    if not re.search(r"^\s*build:", joined, re.MULTILINE):
        yield from (found[0] for found in IMAGE.finditer(joined))


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True)  # noqa: S607 - git
    return [CHECKOUT / name for name in listing.stdout.split("\0") if name]


@pytest.mark.slow
@pytest.mark.promise("P11")
def test_no_tracked_file_makes_anybody_fetch_a_package_of_our_name() -> None:
    assert PUBLISHED is None
    # what is told here is how it would look once there is one, or the very samples of it
    told = {
        Path(__file__),
        CHECKOUT / "barrack_mcp/cli/install/launching.py",
        CHECKOUT / "barrack_mcp/cli/manifests/registry.py",
    }
    read = [path for path in tracked() if path.suffix not in {".png", ".woff2"} and path.is_file()]
    assert len(read) > 300
    found = {
        str(path.relative_to(CHECKOUT)): places
        for path in read
        if path not in told and (places := [*fetched(path.read_text(encoding="utf-8"))])
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "uvx barrack-mcp demo",
        "uvx --python 3.12 barrack-mcp@latest serve",
        "uvx --from barrack-mcp barrack-mcp",
        "pipx install barrack-mcp",
        "pipx run --spec barrack_mcp barrack-mcp",
        "pip install --upgrade 'barrack-mcp[test]'",
        "python -m pip install \\\n  barrack-mcp",
        "uv tool install barrack-mcp",
        "uv pip install barrack.mcp",
        "uv add barrack-mcp",
        "npx -y barrack-mcp",
        'pip install --find-links "$here" barrack-mcp',
        "docker run -i barrack-mcp serve",
        '"command": "uvx",\n      "args": ["x"]',
        '"command": ["uvx", "barrack-mcp"]',
        'command = "/usr/bin/uvx"',
        '"registryType": "pypi"',
        "uv tool upgrade barrack-mcp",
        "services:\n  barrack:\n    image: ghcr.io/somebody/barrack-mcp:latest\n",
        "FROM barrack-mcp:0.1.0\n",
        'dependencies = ["barrack-mcp==0.1.0"]',
        "https://pypi.org/project/barrack-mcp/",
    ],
)
def test_each_way_to_fetch_it_is_seen(text: str) -> None:
    assert [*fetched(text)]


@pytest.mark.parametrize(
    "text",
    [
        "uvx --from . barrack-mcp demo",
        "pipx run --spec . barrack-mcp demo",
        "pip install -e . && .venv/bin/barrack-mcp demo",
        "pip install . && barrack-mcp demo",
        "uv tool install .",
        "docker build -t barrack-mcp .",
        "services:\n  barrack:\n    image: barrack-mcp\n    build: .\n",
        '"command": "/path/to/barrack-mcp"',
        "pip install ./barrack-mcp",
    ],
)
def test_what_is_installed_from_its_source_is_not_taken_for_it(text: str) -> None:
    assert not [*fetched(text)]


def test_nothing_generated_names_a_registry_and_what_will_be_is_made_by_one_declaration() -> None:
    package = manifests.package_of(CHECKOUT)
    now, later = manifests.files(package), manifests.files(package, ("uvx", "barrack-mcp"))
    assert {*later} - {*now} == {"manifests/cursor/deeplink.txt"}
    assert not any([*fetched(make(""))] for make in now.values())
    entry: dict[str, Any] = json.loads(now["manifests/server.json"](""))
    assert "packages" not in entry
    assert "Not published" in json.dumps(entry["_meta"])
    assert json.loads(later["manifests/server.json"](""))["packages"]
    assert json.loads(later["manifests/vscode/mcp.json"](""))["servers"]["barrack"]["command"] == "uvx"
    for made in (now, later):
        # the bundle carries the package, and asks a registry for what it needs alone
        needs = tomllib.loads(made["manifests/mcpb/pyproject.toml"](""))["project"]["dependencies"]
        assert not [need for need in needs if re.match(NAME, need)]


def test_an_entry_names_what_is_installed_and_uvx_is_refused_as_long_as_it_has_nothing_of_ours(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    module = (str(python), "-m", "barrack_mcp")
    for launcher in (Launcher.AUTO, Launcher.HERE):
        assert choose_command(launcher, uvx="/u/uvx", python=python, platform="linux") == module
    with pytest.raises(NoLauncherError, match=r"in no registry yet.*--launcher here"):
        choose_command(Launcher.UVX, uvx="/u/uvx", python=python, platform="linux")
    (python.parent / "barrack-mcp").touch()
    script = (str(python.parent / "barrack-mcp"),)
    assert choose_command(Launcher.AUTO, uvx="/u/uvx", python=python, platform="linux") == script
    assert choose_command(Launcher.HERE, uvx=None, python=python, platform="win32") == module


def test_once_it_is_published_uvx_is_taken_where_it_is(tmp_path: Path) -> None:
    later = ("uvx", "barrack-mcp")
    python = tmp_path / "python"
    for launcher in (Launcher.AUTO, Launcher.UVX):
        assert choose_command(launcher, uvx="/u/uvx", python=python, platform="linux", published=later) == (
            "/u/uvx",
            "barrack-mcp",
        )
    module = (str(python), "-m", "barrack_mcp")
    assert choose_command(Launcher.AUTO, uvx=None, python=python, platform="linux", published=later) == module
    assert choose_command(Launcher.HERE, uvx="/u/uvx", python=python, platform="linux", published=later) == module
    with pytest.raises(NoLauncherError, match="uvx is not on the PATH"):
        choose_command(Launcher.UVX, uvx=None, python=python, platform="linux", published=later)


def test_the_shell_refuses_uvx_with_what_to_say_instead(tmp_path: Path) -> None:
    refused = typed(tmp_path / "home", "install", "cursor", "--launcher", "uvx")
    assert refused.exit_code == 2
    assert "--launcher here" in refused.stderr
