"""`barrack-mcp key`: the key is taken unseen, tried, and kept for its owner alone; what is wrong keeps nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from barrack_mcp.cli.app import app
from barrack_mcp.config import default_key_file, read_settings

RIGHT = "right-key-2f81"
WRONG = "wrong-key-99aa"


class _Api(BaseHTTPRequestHandler):
    """Wants the right key, and knows nothing."""

    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == f"Bearer {RIGHT}"
        body = b'{"success": true, "pricing": {}}' if allowed else b'{"detail": "Invalid key."}'
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


def typed(home: Path, url: str, key: str, *words: str) -> Result:
    env = {"HOME": str(home), "USERPROFILE": str(home), "BARRACK_API_URL": url, "BARRACK_STATE": str(home / "s.db")}
    return CliRunner().invoke(app, ["key", *words], input=f"{key}\n", env=env)


@pytest.mark.parametrize("around", ["{}", '  "{}"  ', "\ufeff{}"])
def test_a_key_that_the_api_accepts_is_kept_for_its_owner_alone_and_can_be_used(
    tmp_path: Path, url: str, around: str
) -> None:
    done = typed(tmp_path, url, around.format(RIGHT))
    kept = default_key_file(tmp_path)
    assert done.exit_code == 0, done.output
    assert f"--key-file {kept}" in done.output
    assert "install CLIENT\n" in done.output
    call = CliRunner().invoke(app, ["call", "list_regions"], env={"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)})
    assert (call.exit_code, f"export BARRACK_API_KEY_FILE={kept}" in call.stderr) == (3, True)
    assert RIGHT not in done.output
    settings = read_settings({"BARRACK_API_KEY_FILE": str(kept)})
    assert settings.key is not None
    assert settings.key.get_secret_value() == RIGHT
    if os.name == "posix":
        assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_key_that_the_api_refuses_is_not_kept_unless_nobody_asks_it(tmp_path: Path, url: str) -> None:
    done = typed(tmp_path, url, WRONG)
    assert done.exit_code == 3
    assert "not kept" in done.stderr
    assert WRONG not in done.output
    assert not default_key_file(tmp_path).exists()
    assert typed(tmp_path, url, WRONG, "--no-check").exit_code == 0
    assert default_key_file(tmp_path).read_text(encoding="utf-8") == f"{WRONG}\n"


def test_where_the_api_is_out_of_reach_the_key_is_not_kept(tmp_path: Path) -> None:
    done = typed(tmp_path, "http://127.0.0.1:1/api", RIGHT)
    assert done.exit_code == 4
    assert not default_key_file(tmp_path).exists()


@pytest.mark.parametrize("given", ["", "   ", "${BARRACK_API_KEY}", "schlüssel", "a\tb"])
def test_what_is_no_key_ends_with_2_and_a_sentence_without_it(tmp_path: Path, url: str, given: str) -> None:
    done = typed(tmp_path, url, given, "--no-check")
    assert done.exit_code == 2
    assert not default_key_file(tmp_path).exists()
    assert not given.strip() or given not in done.output


def test_a_file_that_holds_more_than_a_key_is_left_as_it_is(tmp_path: Path, url: str) -> None:
    notes = tmp_path / "notes"
    notes.write_text("one\ntwo\n", encoding="utf-8")
    done = typed(tmp_path, url, RIGHT, "--file", str(notes))
    assert done.exit_code == 2
    assert notes.read_text(encoding="utf-8") == "one\ntwo\n"
    before = tmp_path / "before"
    before.write_text("an-older-key\n", encoding="utf-8")
    assert typed(tmp_path, url, RIGHT, "--file", str(before)).exit_code == 0
    assert before.read_text(encoding="utf-8") == f"{RIGHT}\n"
