"""The files that say how to run it for a team: each names settings, flags, ports and paths that there are."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from barrack_mcp.cli.app import MODULES
from barrack_mcp.cli.operator import reap
from barrack_mcp.cli.serve import app as serve
from barrack_mcp.config import IN_FILES, NAMES, Settings, read_settings
from barrack_mcp.dispatch.writes.looking import look
from tests.support.image import read_image

CHECKOUT = Path(__file__).parents[1]
MANIFESTS = CHECKOUT / "manifests"
IMAGE = read_image()
UNIT = (MANIFESTS / "systemd" / "barrack-mcp.service").read_text(encoding="utf-8")
FLAGS = {
    "serve": {flag for each in get_command(serve).params for flag in each.opts},
    "reap": {flag for each in get_command(reap.app).params for flag in each.opts},
}
(PORT,) = (each.default for each in get_command(serve).params if each.name == "port")
DRAIN_S = Settings().timeout + look.SECONDS + 5
"""How long a server may take to end: what was sent, the look at it, and the last answers."""
FILES = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for name in ("docker", "compose.yaml", "kubernetes", "systemd")
    for path in [MANIFESTS / name, *(MANIFESTS / name).rglob("*")]
    if path.is_file()
)


def check_arguments(words: tuple[str, ...]) -> None:
    """See that a command and its flags are some of ours."""
    command, *rest = words
    assert command in MODULES
    assert {word for word in rest if word.startswith("-")} <= FLAGS[command]


@pytest.mark.promise("R13")
@pytest.mark.parametrize("name", FILES)
def test_each_names_settings_that_there_are_and_holds_no_secret(name: str) -> None:
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    assert set(re.findall(r"\bBARRACK_[A-Z_]*[A-Z]", text)) <= NAMES.keys() | IN_FILES.keys()
    assert not re.search(r"bmcp_[\w-]{8}|://:?\w*:\w+@|requirepass +\w|BARRACK_API_KEY=|[0-9a-f]{32}", text)


@pytest.mark.promise("R13")
def test_the_image_runs_as_nobody_that_has_rights_and_needs_no_shell() -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", IMAGE.user)
    assert IMAGE.entrypoint == ("barrack-mcp",)
    check_arguments(IMAGE.command)
    assert not any("sh" in (Path(word).name for word in words) for words in (IMAGE.entrypoint, IMAGE.check))
    # one base for both stages, so that what is built in one runs in the other; by its tag, not by what is newest
    assert len(set(IMAGE.bases)) == 1
    base, _, tag = IMAGE.bases[0].rpartition(":")
    version = tuple(int(part) for part in re.findall(r"\d+", tag)[:2])
    assert (base, version >= (3, 11)) == ("docker.io/library/python", True)


def test_the_image_is_built_from_what_it_needs_of_the_checkout_and_nothing_else() -> None:
    ignored = (MANIFESTS / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
    first, *rest = [line for line in ignored if line and not line.startswith("#")]
    assert first == "*"
    let_in = {line[1:] for line in rest if line.startswith("!")}
    assert let_in == set(IMAGE.copied)
    assert all((CHECKOUT / name).exists() for name in let_in)
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    named = {project["project"]["readme"], *project["project"]["license-files"]}
    assert named | {"pyproject.toml", *project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]} == let_in
    extras = re.findall(r"whl\)\[([\w,]+)\]", (MANIFESTS / "docker" / "Dockerfile").read_text(encoding="utf-8"))
    assert {each for found in extras for each in found.split(",")} <= project["project"]["optional-dependencies"].keys()


def test_the_image_listens_and_asks_itself_where_the_product_does() -> None:
    assert IMAGE.port == PORT
    assert f"'127.0.0.1', {PORT}" in IMAGE.check[-1]
    assert "'/health'" in IMAGE.check[-1]


@pytest.mark.skipif(os.name != "posix", reason="the image is one of Linux")
def test_the_image_keeps_its_state_in_a_folder_of_its_users(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in IMAGE.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BARRACK_STATE", raising=False)
    settings = read_settings({})
    assert IMAGE.folders[settings.state_folder.parent.as_posix()] == (IMAGE.user, "0700")
    assert settings.cache_folder.is_relative_to("/tmp")  # noqa: S108 - what is read again anyway
    assert all(owner == IMAGE.user for owner, _ in IMAGE.folders.values())


def unit(name: str) -> list[str]:
    """What the unit says of something, as often as it says it."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


@pytest.mark.promise("R13")
def test_the_unit_starts_the_product_on_this_machine_alone() -> None:
    (started,) = unit("ExecStart")
    path, *words = started.split()
    assert path.endswith("/barrack-mcp")
    check_arguments(tuple(words))
    assert "--host" not in words
    assert int(unit("TimeoutStopSec")[0].removesuffix("s")) > DRAIN_S


def test_the_unit_hands_over_the_key_as_a_credential_and_keeps_the_rest_in_its_own_folder() -> None:
    settings = dict(pair.split("=", 1) for pair in unit("Environment"))
    credentials = dict(pair.split(":", 1) for pair in unit("LoadCredential"))
    assert settings["BARRACK_API_KEY_FILE"].removeprefix("%d/") in credentials
    (state,) = unit("StateDirectory")
    kept = {name: value for name, value in settings.items() if name != "BARRACK_API_KEY_FILE"}
    assert all(value.startswith(f"%S/{state}/") for value in kept.values())
    read_settings({name: value.replace("%S", "/var/lib") for name, value in kept.items()})
    assert (unit("StateDirectoryMode"), unit("DynamicUser"), unit("ProtectSystem")) == (["0700"], ["yes"], ["strict"])
