"""The file that holds a secret: made once and whole, for its owner alone; whatever else lies there is refused."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from barrack_mcp.state.secret import KeyFileError, secret_in
from tests.support.contending import contend
from tests.support.patience import PATIENT_S

GOOD = "0123456789abcdef0123456789abcdef"
CONTENDER = """
import sys
from pathlib import Path
from barrack_mcp.state.secret import secret_in
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
sys.stdout.write(secret_in(Path(sys.argv[1])))
"""

posix = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


@pytest.fixture
def _open_umask() -> Iterator[None]:
    """Let files be made as open as they are asked for."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def private(path: Path, content: bytes = GOOD.encode()) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@posix
@pytest.mark.usefixtures("_open_umask")
def test_it_is_made_once_for_its_owner_alone_in_a_folder_of_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "state" / "seal.key"
    secret = secret_in(path)
    assert len(secret) >= 32
    assert secret.isascii()
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert path.read_text() == secret
    before = path.stat()
    assert secret_in(path) == secret
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [each.name for each in path.parent.iterdir()] == ["seal.key"]


def test_two_files_hold_two_secrets(tmp_path: Path) -> None:
    assert secret_in(tmp_path / "one") != secret_in(tmp_path / "two")


@posix
def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    secret_in(tmp_path / "seal.key")
    assert (mode(tmp_path), mode(tmp_path / "seal.key")) == (0o750, 0o600)


def test_white_space_around_an_operators_own_secret_does_not_count(tmp_path: Path) -> None:
    assert secret_in(private(tmp_path / "seal.key", f" {GOOD}\r\n".encode())) == GOOD


@pytest.mark.slow
def test_processes_that_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    path = tmp_path / "state" / "seal.key"
    said = {*contend(CONTENDER, path, processes=3)}
    assert said == {path.read_text()}
    assert [each.name for each in path.parent.iterdir()] == ["seal.key"]


def test_threads_that_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    for attempt in range(20):
        path = tmp_path / str(attempt) / "seal.key"
        start = threading.Barrier(8)
        said: list[str] = []

        def make(path: Path = path, start: threading.Barrier = start, said: list[str] = said) -> None:
            start.wait(timeout=PATIENT_S)
            said.append(secret_in(path))

        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=PATIENT_S)
        assert said == [path.read_text()] * 8
        assert [each.name for each in path.parent.iterdir()] == ["seal.key"]


@posix
@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o644, 0o610, 0o601, 0o602])
def test_a_file_that_others_reach_is_refused_with_what_mends_it(tmp_path: Path, bits: int) -> None:
    path = private(tmp_path / "seal.key")
    path.chmod(bits)
    with pytest.raises(KeyFileError) as refused:
        secret_in(path)
    assert str(refused.value) == f"Others can read {path}; run: chmod 600 {path}"
    path.chmod(0o600)
    assert secret_in(path) == GOOD


@pytest.mark.parametrize("content", [b"", b"\n", b" " * 64, GOOD[:-1].encode(), f"{GOOD[:-1]}\n".encode()])
def test_a_secret_that_is_too_short_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = private(tmp_path / "seal.key", content)
    with pytest.raises(KeyFileError) as refused:
        secret_in(path)
    assert str(refused.value) == f"{path} is too short for a secret; delete it, and a new one is made."
    assert path.read_bytes() == content
    path.unlink()
    assert len(secret_in(path)) >= 32


@pytest.mark.parametrize("content", [b"\xff\xfe\x00" * 20, GOOD.encode() + "é".encode(), b"\x80" * 64])
def test_what_is_no_text_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    path = private(tmp_path / "seal.key", content)
    with pytest.raises(KeyFileError) as refused:
        secret_in(path)
    assert str(refused.value) == f"{path} can't be read or made."
    # an error that Python would chain holds what was read
    assert refused.value.__suppress_context__
    assert path.read_bytes() == content


@posix
def test_a_link_is_as_good_as_what_it_leads_to(tmp_path: Path) -> None:
    real = private(tmp_path / "real")
    path = tmp_path / "seal.key"
    path.symlink_to(real)
    assert secret_in(path) == GOOD
    real.chmod(0o644)
    with pytest.raises(KeyFileError, match="Others can read"):
        secret_in(path)


@posix
@pytest.mark.parametrize("leads_to", ["nowhere", "seal.key"])
def test_a_link_to_nowhere_is_refused_and_nothing_is_made_there(tmp_path: Path, leads_to: str) -> None:
    path = tmp_path / "seal.key"
    path.symlink_to(tmp_path / leads_to)
    with pytest.raises(KeyFileError, match="can't be read or made"):
        secret_in(path)
    assert [each.name for each in tmp_path.iterdir()] == ["seal.key"]


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "seal.key").mkdir()
    with pytest.raises(KeyFileError, match="can't be read or made"):
        secret_in(tmp_path / "seal.key")


def test_a_place_where_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path / "file" / "seal.key", tmp_path / ("long" * 100) / "seal.key", tmp_path / ("long" * 100)):
        with pytest.raises(KeyFileError) as refused:
            secret_in(path)
        assert str(refused.value) == f"{path} can't be read or made."
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to root")
@pytest.mark.parametrize("bits", [0o500, 0o000])
def test_a_folder_that_can_not_be_written_is_refused(tmp_path: Path, bits: int) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(bits)
    try:
        with pytest.raises(KeyFileError, match="can't be read or made"):
            secret_in(folder / "seal.key")
    finally:
        folder.chmod(0o700)
