"""A file of its owner's alone is whole or not there, private from the first byte, and leaves nothing beside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from barrack_mcp.state import files
from barrack_mcp.state.audit.head import write_head
from barrack_mcp.state.audit.record import Link
from barrack_mcp.state.secret import KeyFileError, secret_in

posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@posix
def test_a_draft_is_private_and_whole_and_is_taken_away_unless_it_found_its_place(tmp_path: Path) -> None:
    with files.draft(tmp_path / "file", b"whole") as made:
        assert (made.read_bytes(), mode(made), made.parent) == (b"whole", 0o600, tmp_path)
    assert names(tmp_path) == []
    with pytest.raises(LookupError), files.draft(tmp_path / "file", b"whole"):
        raise LookupError
    assert names(tmp_path) == []


def test_what_is_created_first_stays(tmp_path: Path) -> None:
    files.create(tmp_path / "file", b"first")
    files.create(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


@posix
@pytest.mark.parametrize("bits", [0o600, 0o640, 0o444])
def test_what_is_replaced_has_the_mode_that_is_asked_for_and_a_link_gives_way(tmp_path: Path, bits: int) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"theirs")
    (tmp_path / "file").symlink_to(theirs)
    files.replace(tmp_path / "file", b"ours", mode=bits)
    assert (mode(tmp_path / "file"), (tmp_path / "file").read_bytes()) == (bits, b"ours")
    assert theirs.read_bytes() == b"theirs"


@posix
def test_what_was_open_to_others_is_closed_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    os.close(files.open_private(path, os.O_CREAT | os.O_WRONLY))
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    path.chmod(0o644)
    assert files.is_open_to_others(path)
    os.close(files.open_private(path, os.O_WRONLY))
    assert not files.is_open_to_others(path)


@posix
def test_the_folders_above_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.make_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert [mode(tmp_path / each) for each in ("a", "a/b", "a/b/c")] == [0o700] * 3
    (tmp_path / "a").chmod(0o755)
    files.make_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a") == 0o755


@posix
def test_a_link_that_others_planted_beside_a_record_is_never_followed(tmp_path: Path) -> None:
    theirs, record = tmp_path / "theirs", tmp_path / "audit.jsonl"
    theirs.write_bytes(b"theirs")
    for name in ("audit.jsonl.head", "audit.jsonl.head.new", ".audit.jsonl.head.new"):
        (tmp_path / name).symlink_to(theirs)
    write_head(record, Link(1, "0" * 64))
    assert theirs.read_bytes() == b"theirs"
    assert not (tmp_path / "audit.jsonl.head").is_symlink()


@posix
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_secret_that_is_another_users_is_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "page.secret"
    own = secret_in(path)
    assert secret_in(path) == own
    os.chown(path, 65_534, -1)
    with pytest.raises(KeyFileError, match="belongs to another user"):
        secret_in(path)
