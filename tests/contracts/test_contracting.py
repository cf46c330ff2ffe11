"""The contract at a terminal, and the contract that the settings make."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import load
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS
from barrack_mcp.cli.contract import command as contracting
from barrack_mcp.config import SettingsError, read_settings
from barrack_mcp.server.contract import SEEN_FILE, keep_seen, open_contract, place
from tests.contracts import dialect
from tests.contracts.other import ENTRIES, Other
from tests.contracts.test_end_to_end import address_of
from tests.support.patience import PATIENT_S
from tests.support.running import environment

pytestmark = pytest.mark.anyio

MOVED = '[operations.get_volume]\npath = "/disks/{volume_id}/"\n'


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "openapi.json"
    path.write_bytes(dialect.as_bytes(dialect.written()))
    return str(path)


def written(folder: Path, text: str) -> str:
    path = folder / "contract.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


async def test_show_tells_every_operation_and_what_holds_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = MOVED + '[api]\nauth_header = "X-API-Key"\n[status.instance]\nbusy = "ACTIVE"\n'
    settings = read_settings({"BARRACK_CONTRACT": written(tmp_path, text), "BARRACK_STATE": str(tmp_path / "s.db")})
    assert await contracting.show(settings) == 0
    told = capsys.readouterr().out
    assert "/disks/{volume_id}/" in told
    assert "auth_header = X-API-Key" in told
    assert "busy = ACTIVE" in told
    assert "paths are guesses" in told
    assert await contracting.show(settings, json_wanted=True) == 0
    shown = json.loads(capsys.readouterr().out)
    rows = {row["tool"]: row for row in shown["operations"]}
    assert list(rows) == list(BY_TOOL)
    assert rows["get_volume"]["marks"] == ["inferred", "overridden"]
    assert not rows["get_volume"]["guessed"]
    assert shown["api"] == {"auth_header": "X-API-Key"}


async def test_diff_tells_what_adopting_would_mend(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await contracting.diff(document) == 0
    assert f"{len(OPERATIONS)} of our {len(OPERATIONS)} operations are in" in capsys.readouterr().out
    assert await contracting.diff(document, json_wanted=True) == 0
    assert len(json.loads(capsys.readouterr().out)["matches"]) == len(OPERATIONS)
    assert await contracting.diff(document, everything=True) == 0
    assert "list_volumes" in capsys.readouterr().out


async def test_adopt_writes_a_file_that_loads_and_never_over_another(
    document: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.toml"
    assert await contracting.adopt(document, out=out) == 0
    assert "BARRACK_CONTRACT" in capsys.readouterr().out
    assert await contracting.adopt(document) == 0
    assert capsys.readouterr().out == out.read_text(encoding="utf-8")
    assert len(load(out.read_bytes(), "mine").operations) >= 60
    out.write_text("# by hand\n", encoding="utf-8")
    assert await contracting.adopt(document, out=out) == 2
    assert out.read_text(encoding="utf-8") == "# by hand\n"
    assert "is there already" in capsys.readouterr().err
    assert await contracting.adopt(document, out=tmp_path / "no" / "folder") == 2
    assert "can't be written" in capsys.readouterr().err


async def test_a_document_that_gives_nothing_is_told_with_its_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with address_of(Other(None, ENTRIES)) as url:  # type: ignore[arg-type]  # nothing gets that far
        assert await contracting.diff(f"{url}/nothing-here") == 1
    assert "answered 404" in capsys.readouterr().err
    assert await contracting.adopt(f"{url}/openapi.json") == 4
    assert "could not be reached" in capsys.readouterr().err
    assert await contracting.diff(str(tmp_path / "none.json")) == 1
    assert "can't be read" in capsys.readouterr().err


async def test_an_entry_vouches_for_a_path_that_the_document_has_as_we_have_it(tmp_path: Path) -> None:
    bare = json.loads(contracting.export())
    for item in bare["paths"].values():
        for operation in item.values():
            del operation["x-provenance"]
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(bare), encoding="utf-8")
    settings = read_settings({"BARRACK_OPENAPI": str(path), "BARRACK_STATE": str(tmp_path / "s.db")})
    contract = await open_contract(settings)
    assert not any(contract.for_(operation).guessed for operation in OPERATIONS)
    assert {(wire.method, wire.path) for wire in map(contract.for_, OPERATIONS)} == {
        (operation.method, operation.path) for operation in OPERATIONS
    }


async def test_overrides_win_over_the_document_and_the_simulator_knows_neither(document: str, tmp_path: Path) -> None:
    said = {"BARRACK_OPENAPI": document, "BARRACK_STATE": str(tmp_path / "s.db")}
    said["BARRACK_CONTRACT"] = written(tmp_path, '[operations.get_volume]\npath = "/mine/{volume_id}"\n')
    contract = await open_contract(read_settings(said))
    assert contract.for_(BY_TOOL["get_volume"]).path == "/mine/{volume_id}"
    assert contract.for_(BY_TOOL["list_volumes"]).path == "/disks"
    plain = await open_contract(read_settings(said | {"BARRACK_SIMULATOR": "1"}))
    assert plain.for_(BY_TOOL["list_volumes"]).path == "/volumes/"


async def test_where_a_document_and_a_person_name_one_place_the_person_is_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = {"/x/": {"get": {"operationId": "list_volumes"}}, "/y/": {"get": {"operationId": "list_instances"}}}
    document = tmp_path / "theirs.json"
    document.write_text(json.dumps({"openapi": "3.1.0", "paths": paths}), encoding="utf-8")
    said = {"BARRACK_OPENAPI": str(document), "BARRACK_STATE": str(tmp_path / "s.db")}
    said["BARRACK_CONTRACT"] = written(tmp_path, '[operations.list_snapshots]\npath = "/x/"\n')
    contract = await open_contract(read_settings(said))
    tools = ("list_snapshots", "list_volumes", "list_instances")
    assert [contract.for_(BY_TOOL[tool]).path for tool in tools] == ["/x/", "/volumes/", "/y/"]
    assert "the document says of list_volumes is not followed: it would go where list_snapshots goes" in caplog.text


async def test_a_setting_wins_over_the_contract_and_that_over_what_we_ship() -> None:
    text = '[api]\nurl = "https://a.example/x"\nauth_header = "X-A"\nauth_template = "A {key}"\n'
    contract = Contract(load(text.encode(), "f"))
    assert place(read_settings({}), Contract()) == ("https://barrack.ai/api", "Authorization", "Bearer {key}")
    assert place(read_settings({}), contract) == ("https://a.example/x", "X-A", "A {key}")
    said = {"BARRACK_API_URL": "https://b.example", "BARRACK_AUTH_HEADER": "X-B", "BARRACK_AUTH_TEMPLATE": "B {key}"}
    assert place(read_settings(said), contract) == ("https://b.example", "X-B", "B {key}")


async def test_what_was_seen_to_work_is_known_at_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = read_settings({"BARRACK_STATE": str(tmp_path / "new" / "s.db")})
    contract = await open_contract(settings)
    contract.saw(BY_TOOL["get_volume"], {"volume": {}})
    keep_seen(settings, contract)
    again = await open_contract(settings)
    assert again.seen == {"get_volume"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == [SEEN_FILE]
    (tmp_path / "file").write_text("", encoding="utf-8")
    keep_seen(read_settings({"BARRACK_STATE": str(tmp_path / "file" / "s.db")}), contract)
    assert "could not be kept" in caplog.text


async def test_every_mistake_in_the_file_is_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "[operations.get_volumes]\n[operations.get_volume]\npath = 7\nmethod = 'GRAB'\n")
    with pytest.raises(SettingsError) as raised:
        await open_contract(read_settings({"BARRACK_CONTRACT": path}))
    lines = str(raised.value).splitlines()
    assert [line.split(": ")[1].rsplit(", ", 1)[1] for line in lines] == ["line 1", "line 3", "line 4"]


@pytest.mark.slow
def test_the_command_line_has_all_four(document: str, tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environ = environment(BARRACK_STATE=str(tmp_path / "s.db"), COLUMNS="200")
        return subprocess.run(
            [sys.executable, "-m", "barrack_mcp", "contract", *words],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENT_S,
            cwd=os.sep,
        )

    assert "seen" not in run("show").stderr
    assert json.loads(run("export").stdout)["openapi"] == "3.1.0"
    assert run("export").stdout == contracting.export()
    assert f"{len(OPERATIONS)} of our {len(OPERATIONS)} operations" in run("diff", document).stdout
    assert run("adopt", document, "--out", str(tmp_path / "a.toml")).returncode == 0
    wrong = run("diff", str(tmp_path / "nothing.json"))
    assert (wrong.returncode, wrong.stdout) == (1, "")
