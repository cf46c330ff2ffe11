"""Who can reach a secret's file: a person's own must be theirs alone, a mounted one out of others' reach."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from barrack_mcp.state.reach import check_reach
from barrack_mcp.state.secret import KeyFileError


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everyone on the machine can enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def made(folder: Path, mode: int) -> Path:
    file = folder / "key"
    file.write_text("k-1")
    file.chmod(mode)
    return file


@pytest.mark.parametrize("mode", [0o600, 0o400])
@pytest.mark.parametrize("in_container", [True, False])
def test_what_is_its_owners_alone_is_taken(open_folder: Path, mode: int, in_container: bool) -> None:  # noqa: FBT001 - a table's column
    check_reach(made(open_folder, mode), in_container=in_container)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o666, 0o604])
@pytest.mark.parametrize("in_container", [True, False])
def test_what_a_person_made_has_to_be_made_theirs(open_folder: Path, mode: int, in_container: bool) -> None:  # noqa: FBT001 - a table's column
    with pytest.raises(KeyFileError, match="run: chmod 600"):
        check_reach(made(open_folder, mode), in_container=in_container)


@pytest.mark.parametrize("mode", [0o444, 0o440])
def test_what_a_container_is_given_is_taken_there_and_where_nobody_else_can_enter(open_folder: Path, mode: int) -> None:
    check_reach(made(open_folder, mode), in_container=True)
    with pytest.raises(KeyFileError, match="mode 0400"):
        check_reach(open_folder / "key", in_container=False)
    open_folder.chmod(0o700)
    check_reach(open_folder / "key", in_container=False)


def test_a_link_is_judged_by_what_it_leads_to(open_folder: Path) -> None:
    made(open_folder, 0o644)
    (open_folder / "link").symlink_to(open_folder / "key")
    with pytest.raises(KeyFileError, match="others can read"):
        check_reach(open_folder / "link", in_container=True)


def test_what_others_can_write_is_never_taken(open_folder: Path) -> None:
    with pytest.raises(KeyFileError, match="others can write"):
        check_reach(made(open_folder, 0o422), in_container=True)


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can make a file that is the system's")
def test_a_credential_that_systemd_lets_its_service_read_is_taken(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = made(open_folder, 0o440)
    monkeypatch.setattr(os, "getuid", lambda: 65_432)
    check_reach(file, in_container=False)
    for mode in (0o444, 0o460, 0o442):
        file.chmod(mode)
        with pytest.raises(KeyFileError, match="others can"):
            check_reach(file, in_container=False)
    file.chmod(0o440)
    os.chown(file, 0, 65_431)
    with pytest.raises(KeyFileError, match="others can read"):
        check_reach(file, in_container=False)
