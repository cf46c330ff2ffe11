"""Installing: a client's file afterwards holds what it held, and the server; nothing is lost, printed or half done."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from barrack_mcp.cli.install.clients import CLIENTS, KEY, KEY_FILE, Format, UnknownClientError
from barrack_mcp.cli.install.entries import takes_reference
from barrack_mcp.cli.install.installation import Installed, InstallError, install, remove
from barrack_mcp.cli.install.places import place
from barrack_mcp.config import default_key_file

JSON_CLIENTS = [name for name, client in CLIENTS.items() if client.format is not Format.TOML]
JSONC_CLIENTS = [name for name, client in CLIENTS.items() if client.format is Format.JSONC]
CANARY = "canary-key-7f3a"
NOW = 1_795_000_000.0
OTHERS = {
    Format.JSON: '{\n    "theme": "dark",\n    "big": 12345678901234567890,\n    "%s": {"mine": {"command": "x"}}\n}\n',
    Format.JSONC: '// mine\n{\n\t"theme": "dark", // of course\n\t"%s": {\n\t\t"mine": {"command": "x"},\n\t},\n}\n',
    Format.TOML: '# mine\nmodel = "o5"  # of course\n\n[%s.mine]\ncommand = "x"\n\n[tui]\ntheme = "dark"\n',
}

IN_VSCODE = "globalStorage/saoudrizwan.claude-dev/settings"

Install = Callable[..., Installed]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Install:
    def run(client: str, **options: Any) -> Installed:
        given: dict[str, Any] = {
            "print_only": False,
            "home": home,
            "platform": "linux",
            "environ": {KEY: CANARY},
            "command": ("/opt/python", "-m", "barrack_mcp"),
            "now": lambda: NOW,
        }
        return install(client, **given | options)

    return run


@pytest.mark.parametrize("client", CLIENTS)
def test_an_entry_takes_the_key_that_was_kept_unless_a_project_shares_it(
    client: str, run: Install, home: Path, tmp_path: Path
) -> None:
    kept = default_key_file(home)
    kept.parent.mkdir(parents=True)
    kept.write_text(f"{CANARY}\n", encoding="utf-8")
    done = run(client)
    assert entry(client, done.path)["env"] == {KEY_FILE: str(kept)}
    assert f"It reads the key from {kept}." in done.say
    if CLIENTS[client].project is not None:
        shared = run(client, project=tmp_path)
        assert (str(kept) in shared.path.read_text(encoding="utf-8")) is not takes_reference(CLIENTS[client])


def held(client: str, path: Path) -> dict[str, Any]:
    """What the client itself would read, by an independent reader where there is one."""
    text = path.read_text(encoding="utf-8")
    if CLIENTS[client].format is Format.TOML:
        return tomllib.loads(text)
    bare = "\n".join(line.partition("//")[0] for line in text.splitlines())
    for end in "}]":
        bare = bare.replace(f",\n{end}", f"\n{end}").replace(f",\n\t{end}", f"\n\t{end}")
    result: dict[str, Any] = json.loads(bare)
    return result


def entry(client: str, path: Path) -> dict[str, Any]:
    """What a client's file says of the server, in the words of most: opencode has two of its own."""
    found: dict[str, Any] = held(client, path)[CLIENTS[client].servers]["barrack"]
    if client == "opencode":
        found["command"], *found["args"] = found["command"]
        if "environment" in found:
            found["env"] = found.pop("environment")
    return found


def in_its_words(client: str, there: dict[str, Any]) -> dict[str, Any]:
    """The same as the client's file has it."""
    if client != "opencode":
        return there
    rest = {name: value for name, value in there.items() if name not in {"command", "args", "env"}}
    return {"command": [there["command"], *there["args"]], "environment": there["env"], **rest}


def prepared(client: str, home: Path, text: str) -> Path:
    path = place(CLIENTS[client], home=home, platform="linux", environ={})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("client", CLIENTS)
def test_a_first_install_makes_the_file_for_its_owner_only(client: str, run: Install) -> None:
    done = run(client)
    assert done.changed
    assert done.backup is None
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    few = CLIENTS[client].toolsets
    assert entry(client, done.path)["args"] == ["-m", "barrack_mcp", "serve", *(["--toolsets", few] if few else [])]
    assert done.path.read_text(encoding="utf-8") == done.snippet
    assert [found.name for found in done.path.parent.iterdir()] == [done.path.name]


@pytest.mark.promise("P12")
@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_in_the_file_stays_and_the_old_file_is_kept(client: str, run: Install, home: Path) -> None:
    known = CLIENTS[client]
    text = OTHERS[known.format] % known.servers
    path = prepared(client, home, text)
    path.chmod(0o640)
    before = held(client, path)
    done = run(client)
    after = held(client, path)
    assert entry(client, path)["command"] == "/opt/python"
    after[known.servers].pop("barrack")
    assert [item["password"] for item in after.pop("inputs", [])] == ([True] if known.servers == "servers" else [])
    assert after == before
    kept = set(path.read_text(encoding="utf-8").splitlines())
    assert {line for line in text.splitlines() if "//" in line or "#" in line or "12345" in line} <= kept
    assert done.backup is not None
    assert done.backup.name == f"{path.name}.20261118T110640Z.bak"
    assert done.backup.read_text(encoding="utf-8") == text
    assert {stat.S_IMODE(file.stat().st_mode) for file in (path, done.backup)} == {0o640}


@pytest.mark.parametrize("simulator", [False, True])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_second_install_changes_nothing(client: str, simulator: bool, run: Install, home: Path) -> None:  # noqa: FBT001 - a parameter of the table
    prepared(client, home, OTHERS[CLIENTS[client].format] % CLIENTS[client].servers)
    first = run(client, simulator=simulator)
    content, files = first.path.read_bytes(), sorted(first.path.parent.iterdir())
    again = run(client, simulator=simulator)
    assert not again.changed
    assert again.backup is None
    assert again.path.read_bytes() == content
    assert sorted(first.path.parent.iterdir()) == files
    assert "has it already" in again.say[0]


@pytest.mark.parametrize("client", CLIENTS)
def test_printing_touches_nothing(client: str, run: Install, home: Path) -> None:
    done = run(client, print_only=True)
    assert not done.changed
    assert not home.exists()
    assert "barrack" in done.snippet
    assert str(done.path) in done.say[0]


@pytest.mark.promise("P12")
@pytest.mark.parametrize("client", CLIENTS)
def test_the_key_is_neither_written_nor_told(client: str, run: Install, home: Path) -> None:
    file = home / "key"
    file.parent.mkdir()
    file.write_text(CANARY, encoding="utf-8")
    told = [*run(client).say, *run(client, key_file=file).say, *run(client, print_only=True).say]
    kept = [path.read_text(encoding="utf-8") for path in home.rglob("*") if path.is_file() and path != file]
    assert kept
    assert CANARY not in "".join([*told, *kept])


@pytest.mark.parametrize(
    ("client", "how"),
    [
        ("claude-code", {"env": {KEY: "${BARRACK_API_KEY:-}"}}),
        ("vscode", {"env": {KEY: "${input:barrack-api-key}"}}),
        ("cursor", {"env": {KEY: "${env:BARRACK_API_KEY}"}}),
        ("codex", {"env_vars": [KEY]}),
        ("gemini", {"env": {KEY: "$BARRACK_API_KEY"}}),
        ("vscode-insiders", {"env": {KEY: "${input:barrack-api-key}"}}),
        ("windsurf", {"env": {KEY: "${env:BARRACK_API_KEY}"}}),
        ("copilot-cli", {"env": {KEY: "${BARRACK_API_KEY:-}"}, "tools": ["*"], "type": "local"}),
        ("opencode", {"env": {KEY: "{env:BARRACK_API_KEY}"}, "type": "local"}),
    ],
)
def test_each_client_passes_the_key_on_in_its_own_way(client: str, how: dict[str, Any], run: Install) -> None:
    done = run(client)
    assert how.items() <= entry(client, done.path).items()
    expected = "asks for the API key" if client.startswith("vscode") else f"passes on {KEY}"
    assert [index for index, sentence in enumerate(done.say) if expected in sentence] == [1]


@pytest.mark.parametrize("client", ["claude-desktop", "zed", "cline", "cline-vscode"])
def test_a_client_that_passes_on_nothing_takes_the_key_from_a_file(client: str, run: Install, home: Path) -> None:
    file = home / ".config" / "barrack-mcp" / "api-key"
    done = run(client)
    assert entry(client, done.path)["env"] == {KEY_FILE: str(file)}
    assert f"chmod 600 {file}" in done.say[1]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(CANARY, encoding="utf-8")
    assert run(client).say[1] == f"It reads the key from {file}."


@pytest.mark.parametrize("client", CLIENTS)
def test_on_the_simulator_there_is_no_key_at_all_and_the_way_back_is_one_more_install(
    client: str, run: Install
) -> None:
    few = ["--toolsets", CLIENTS[client].toolsets] if CLIENTS[client].toolsets else []
    done = run(client, simulator=True)
    made = entry(client, done.path)
    assert made["args"] == ["-m", "barrack_mcp", "serve", "--simulator", *few]
    assert not {"env", "env_vars"} & set(made)
    assert "needs no key" in done.say[1]
    real = entry(client, run(client).path)
    assert real["args"] == ["-m", "barrack_mcp", "serve", *few]
    assert {"env", "env_vars"} & set(real)
    again = entry(client, run(client, simulator=True).path)
    assert again["args"] == ["-m", "barrack_mcp", "serve", "--simulator", *few]


@pytest.mark.parametrize("client", CLIENTS)
def test_flags_environment_and_options_of_an_entry_that_is_there_stay(client: str, run: Install, home: Path) -> None:
    known = CLIENTS[client]
    there = {
        "command": "old",
        "args": ["serve", "--read-only"],
        "env": {"BARRACK_TOOLSETS": "core", KEY_FILE: "/mine"},
        "startup_timeout_sec": 5,
    }
    path = prepared(client, home, "")
    run(client)
    if known.format is Format.TOML:
        path.write_text(
            '[mcp_servers.barrack]\ncommand = "old"  # mine\nargs = ["serve", "--read-only"]\nstartup_timeout_sec = 5\n'
            'env = { BARRACK_TOOLSETS = "core", BARRACK_API_KEY_FILE = "/mine" }\n',
            encoding="utf-8",
        )
    else:
        path.write_text(
            json.dumps({known.servers: {"barrack": in_its_words(client, there)}}, indent=2), encoding="utf-8"
        )
    done = run(client)
    made = entry(client, path)
    assert made["args"] == ["-m", "barrack_mcp", "serve", "--read-only"]
    assert made["command"] == "/opt/python"
    assert made["env"] == there["env"]
    assert made["startup_timeout_sec"] == 5
    assert "env_vars" not in made
    assert "inputs" not in held(client, path)
    assert "/mine" in done.say[1]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_key_in_the_clear_is_told_of_and_a_key_file_takes_it_out(client: str, run: Install, home: Path) -> None:
    path = prepared(client, home, "")
    run(client)
    if CLIENTS[client].format is Format.TOML:
        path.write_text(
            f'[mcp_servers.barrack]\ncommand = "x"\nargs = ["serve"]\nenv_vars = ["{KEY}", "MINE"]\n\n'
            f'[mcp_servers.barrack.env]\n{KEY} = "{CANARY}"\nMINE = "1"\n',
            encoding="utf-8",
        )
    else:
        there = {"command": "x", "args": ["serve"], "env": {KEY: CANARY, "MINE": "1"}}
        path.write_text(
            json.dumps({CLIENTS[client].servers: {"barrack": in_its_words(client, there)}}), encoding="utf-8"
        )
    done = run(client)
    assert "in the clear" in done.say[1]
    assert CANARY not in " ".join(done.say)
    assert entry(client, path)["env"][KEY] == CANARY
    run(client, key_file=home / "key")
    made = entry(client, path)
    assert made["env"] == {"MINE": "1", KEY_FILE: str(home / "key")}
    assert made.get("env_vars", ["MINE"]) == ["MINE"]


@pytest.mark.parametrize(
    ("client", "value", "clear"),
    [
        ("cursor", "sk$1live${", True),
        ("cursor", "x${env:BARRACK_API_KEY}", True),
        ("cursor", "${userHome}", False),
        ("windsurf", "${file:~/.barrack}", False),
        ("opencode", "{file:~/.barrack}", False),
        ("opencode", "{env:MINE}", False),
        ("gemini", "$MINE", False),
        ("gemini", "s3cr3t$", True),
    ],
)
def test_a_key_is_in_the_clear_unless_all_of_it_is_filled_in_by_the_client(
    client: str,
    value: str,
    clear: bool,  # noqa: FBT001 - a parameter of the table
    run: Install,
    home: Path,
) -> None:
    there = in_its_words(client, {"command": "x", "args": ["serve"], "env": {KEY: value}})
    path = prepared(client, home, json.dumps({CLIENTS[client].servers: {"barrack": there}}))
    assert ("in the clear" in run(client).say[1]) is clear
    assert entry(client, path)["env"] == {KEY: value}


def test_codex_may_get_its_variable_beside_others(run: Install, home: Path) -> None:
    path = prepared(
        "codex", home, '[mcp_servers.barrack]\ncommand = "x"\nargs = ["serve"]\nenv_vars = ["BARRACK_TOOLSETS"]\n'
    )
    run("codex")
    assert entry("codex", path)["env_vars"] == ["BARRACK_TOOLSETS", KEY]


@pytest.mark.parametrize("client", JSON_CLIENTS)
@pytest.mark.parametrize(
    ("text", "where"),
    [('{\n  "a": nope\n}\n', "line 2, column 8"), ('{"a": 1', "line 1, column 8")],
)
def test_a_broken_file_is_refused_untouched_with_its_place(
    client: str, text: str, where: str, run: Install, home: Path
) -> None:
    path = prepared(client, home, text)
    with pytest.raises(InstallError, match=where) as caught:
        run(client)
    assert str(path) in str(caught.value)
    assert path.read_text(encoding="utf-8") == text
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "where"), [("a = 1\nb = nope\n", "line 2, column 5"), ("a = 1\na = 2\n", "line 2"), ('x = "', "line 1")]
)
def test_broken_toml_is_refused_untouched_with_its_place(text: str, where: str, run: Install, home: Path) -> None:
    path = prepared("codex", home, text)
    with pytest.raises(InstallError, match=where):
        run("codex")
    assert path.read_text(encoding="utf-8") == text
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("client", sorted(set(JSON_CLIENTS) - set(JSONC_CLIENTS)))
def test_a_comment_is_broken_json_for_a_client_that_reads_none(client: str, run: Install, home: Path) -> None:
    prepared(client, home, "{} // mine\n")
    with pytest.raises(InstallError, match="comment"):
        run(client)


def test_bytes_that_are_no_text_are_refused(run: Install, home: Path) -> None:
    path = prepared("cursor", home, "")
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(InstallError, match="not UTF-8"):
        run("cursor")
    assert path.read_bytes() == b'{"a": "\xff"}'


@pytest.mark.parametrize(
    ("client", "text", "why"),
    [
        ("cursor", "[]", "not an object"),
        ("cursor", '{"mcpServers": []}', "mcpServers"),
        ("cursor", '{"mcpServers": {"barrack": {"url": "http://x"}}}', "starts something else"),
        ("cursor", '{"mcpServers": {"barrack": {"args": "serve"}}}', "starts something else"),
        ("cursor", '{"mcpServers": {"barrack": {"args": ["serve"], "env": 1}}}', "env"),
        ("vscode", '{"inputs": {}}', "inputs"),
        ("codex", "mcp_servers = 1\n", "mcp_servers"),
        ("codex", '[mcp_servers.barrack]\nargs = ["serve"]\nenv_vars = "X"\n', "env_vars"),
    ],
)
def test_what_can_not_be_edited_safely_is_refused_with_what_to_paste(
    client: str, text: str, why: str, run: Install, home: Path
) -> None:
    path = prepared(client, home, text)
    with pytest.raises(InstallError, match=why) as caught:
        run(client)
    assert "barrack_mcp" in caught.value.snippet
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "text",
    [
        'mcp_servers = { mine = { command = "x" } }\n',
        'mcp_servers.mine.command = "x"\n',
        '[mcp_servers]\nmine = { command = "x" }\n[tui]\na = 1\n',
        '[mcp_servers.mine]\ncommand = "x"\n\n[tui]\na = 1\n\n[mcp_servers.yours]\ncommand = "y"\n',
        '[mcp_servers.barrack.env]\nMINE = "1"\n\n[tui]\na = 1\n\n[mcp_servers.barrack]\nargs = ["serve"]\n',
        'a = 1\r\n[mcp_servers.mine]\r\ncommand = "x"\r\n',
        'mcp_servers.mine.args = ["x"]\nbarrack.args = ["serve"]\n# here tomlkit would write something else\n',
    ],
)
def test_unusual_toml_is_edited_right_or_refused(text: str, run: Install, home: Path) -> None:
    path = prepared("codex", home, text)
    before = tomllib.loads(text)
    refused: list[InstallError] = []
    try:
        run("codex")
    except InstallError as error:
        refused.append(error)
    if refused:
        assert refused[0].snippet
        assert path.read_bytes() == text.encode()
        return
    after = tomllib.loads(path.read_bytes().decode())
    ours = after["mcp_servers"].pop("barrack")
    before["mcp_servers"].pop("barrack", None)
    assert ours["args"] == ["-m", "barrack_mcp", "serve"]
    assert after == before
    assert text.count("\r\n") == 0 or path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n")


def test_an_empty_file_a_byte_order_mark_and_windows_lines_are_kept_as_they_are(run: Install, home: Path) -> None:
    path = prepared("vscode", home, '\ufeff{\r\n  "servers": {}\r\n}\r\n')
    run("vscode")
    made = path.read_bytes().decode()
    assert made.startswith("\ufeff{\r\n")
    assert made.count("\n") == made.count("\r\n")
    empty = prepared("cursor", home, " \n")
    run("cursor")
    assert entry("cursor", empty)["command"] == "/opt/python"


def test_a_link_stays_a_link_and_what_it_leads_to_is_written(run: Install, home: Path) -> None:
    target = home / "dotfiles" / "cursor.json"
    target.parent.mkdir(parents=True)
    target.write_text("{}", encoding="utf-8")
    link = place(CLIENTS["cursor"], home=home, platform="linux", environ={})
    link.parent.mkdir()
    link.symlink_to(target)
    run("cursor")
    assert link.is_symlink()
    assert entry("cursor", target)["command"] == "/opt/python"


def test_a_write_of_another_program_meanwhile_is_not_lost(run: Install, home: Path) -> None:
    path = prepared("claude-code", home, "{}")

    def meanwhile() -> float:
        path.write_text('{"theirs": 1}', encoding="utf-8")
        return NOW

    with pytest.raises(InstallError, match="changed by another program"):
        run("claude-code", now=meanwhile)
    assert path.read_text(encoding="utf-8") == '{"theirs": 1}'
    assert list(path.parent.iterdir()) == [path]


def test_a_place_that_can_not_be_written_is_told(run: Install, home: Path) -> None:
    home.mkdir()
    (home / ".cursor").write_text("a file", encoding="utf-8")
    with pytest.raises(InstallError, match="can't be read or written"):
        run("cursor")
    place(CLIENTS["gemini"], home=home, platform="linux", environ={}).mkdir(parents=True)
    with pytest.raises(InstallError, match="can't be read or written"):
        run("gemini")


def test_two_backups_of_one_moment_are_two_files(run: Install, home: Path) -> None:
    prepared("cursor", home, "{}")
    first = run("cursor").backup
    second = run("cursor", simulator=True).backup
    assert first is not None
    assert second is not None
    assert second.name == first.name.replace("Z.bak", "Z-2.bak")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("claude_code", "claude-code"), ("VSCode", "vscode"), ("curser", "cursor"), ("Claude Desktop", "claude-desktop")],
)
def test_a_mistyped_client_is_guessed(typed: str, meant: str, run: Install) -> None:
    with pytest.raises(UnknownClientError, match=f"did you mean {meant}"):
        run(typed)


def test_a_client_that_is_like_none_is_told_all(run: Install) -> None:
    with pytest.raises(UnknownClientError) as caught:
        run("emacs")
    assert all(name in str(caught.value) for name in CLIENTS)
    assert "other --print" in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("claude", {"claude-desktop", "claude-code"}),
        ("Copilot", {"copilot-cli"}),
        ("vs", {"vscode", "vscode-insiders", "vscodium"}),
        ("insiders", {"vscode-insiders"}),
        ("windsurfer", {"windsurf"}),
        ("other", set()),
    ],
)
def test_every_client_that_a_word_can_mean_is_named(typed: str, meant: set[str], run: Install) -> None:
    with pytest.raises(UnknownClientError) as caught:
        run(typed)
    asked = re.search(r"did you mean (.*?)\?", str(caught.value))
    assert set(asked[1].split(" or ") if asked else []) == meant


def test_opencode_s_file_is_the_one_that_is_there(run: Install, home: Path) -> None:
    there = home / ".config" / "opencode" / "opencode.jsonc"
    there.parent.mkdir(parents=True)
    there.write_text('{\n  // mine\n  "model": "x",\n}\n', encoding="utf-8")
    assert run("opencode").path == there
    assert "// mine" in there.read_text(encoding="utf-8")


def test_a_file_written_for_opencode_2_has_its_servers_one_level_deeper(run: Install, home: Path) -> None:
    text = '{\n  "mcp": {\n    "servers": {\n      "mine": {"type": "local", "command": ["x"]}\n    }\n  }\n}\n'
    path = prepared("opencode", home, text)
    run("opencode")
    made = json.loads(path.read_text(encoding="utf-8"))["mcp"]
    assert set(made) == {"servers"}
    assert made["servers"]["barrack"]["command"] == ["/opt/python", "-m", "barrack_mcp", "serve"]
    assert not run("opencode").changed
    assert _taken_out("opencode", home).changed
    assert path.read_text(encoding="utf-8") == text


def test_a_server_of_the_name_servers_is_not_taken_for_a_file_of_opencode_2(run: Install, home: Path) -> None:
    path = prepared("opencode", home, '{"mcp": {"servers": {"type": "local", "command": ["x"]}}}')
    run("opencode")
    assert set(json.loads(path.read_text(encoding="utf-8"))["mcp"]) == {"servers", "barrack"}


@pytest.mark.parametrize("client", CLIENTS)
def test_each_client_says_where_its_maker_says_so_and_when_that_was_read(client: str) -> None:
    known = CLIENTS[client]
    assert re.fullmatch(r"https://[\w./-]+", known.source)
    assert date.fromisoformat(known.checked) >= date(2026, 11, 27)


def test_what_any_other_client_reads_is_shown_and_no_file_is_touched(run: Install, home: Path) -> None:
    done = run("other", print_only=True, read_only=True, settings={"BARRACK_PROTECT": "prod-*"})
    made = json.loads(done.snippet)["mcpServers"]["barrack"]
    assert made["command"] == "/opt/python"
    assert made["args"] == ["-m", "barrack_mcp", "serve", "--read-only"]
    file = home / ".config" / "barrack-mcp" / "api-key"
    assert made["env"] == {"BARRACK_PROTECT": "prod-*", KEY_FILE: str(file)}
    told = " ".join(done.say)
    assert f"chmod 600 {file}" in told
    assert "/opt/python -m barrack_mcp serve --transport http --read-only" in told
    assert '{"mcpServers": {"barrack": {"url": "http://127.0.0.1:8765/mcp"}}}' in told
    assert not home.exists()


@pytest.mark.parametrize(
    ("client", "platform", "environ", "path"),
    [
        ("claude-desktop", "darwin", {}, "Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", {}, "AppData/Roaming/Claude/claude_desktop_config.json"),
        ("claude-desktop", "linux", {}, ".config/Claude/claude_desktop_config.json"),
        ("claude-code", "linux", {}, ".claude.json"),
        ("claude-code", "linux", {"CLAUDE_CONFIG_DIR": "{home}/x"}, "x/.claude.json"),
        ("vscode", "darwin", {}, "Library/Application Support/Code/User/mcp.json"),
        ("vscode", "win32", {"APPDATA": "{home}/y"}, "y/Code/User/mcp.json"),
        ("vscode", "linux", {"XDG_CONFIG_HOME": "{home}/z"}, "z/Code/User/mcp.json"),
        ("cursor", "win32", {}, ".cursor/mcp.json"),
        ("codex", "linux", {}, ".codex/config.toml"),
        ("codex", "linux", {"CODEX_HOME": "{home}/c"}, "c/config.toml"),
        ("gemini", "darwin", {}, ".gemini/settings.json"),
        ("vscode-insiders", "linux", {}, ".config/Code - Insiders/User/mcp.json"),
        ("vscodium", "win32", {}, "AppData/Roaming/VSCodium/User/mcp.json"),
        ("windsurf", "win32", {}, ".codeium/windsurf/mcp_config.json"),
        ("copilot-cli", "linux", {}, ".copilot/mcp-config.json"),
        ("copilot-cli", "darwin", {"COPILOT_HOME": "{home}/p"}, "p/mcp-config.json"),
        ("zed", "darwin", {"XDG_CONFIG_HOME": "{home}/z"}, ".config/zed/settings.json"),
        ("zed", "linux", {"XDG_CONFIG_HOME": "{home}/z"}, "z/zed/settings.json"),
        ("zed", "win32", {}, "AppData/Roaming/zed/settings.json"),
        ("cline", "win32", {}, ".cline/data/settings/cline_mcp_settings.json"),
        ("cline", "linux", {"CLINE_MCP_SETTINGS_PATH": "{home}/mine.json"}, "mine.json"),
        ("cline-vscode", "linux", {}, f".config/Code/User/{IN_VSCODE}/cline_mcp_settings.json"),
        ("opencode", "win32", {}, ".config/opencode/opencode.json"),
        ("opencode", "linux", {"XDG_CONFIG_HOME": "{home}/o"}, "o/opencode/opencode.json"),
    ],
)
def test_each_client_has_its_place(client: str, platform: str, environ: dict[str, str], path: str, home: Path) -> None:
    moved = {name: value.format(home=home) for name, value in environ.items()}
    assert place(CLIENTS[client], home=home, platform=platform, environ=moved) == home / path


def test_the_store_editions_of_claude_desktop_keep_their_own_file(home: Path) -> None:
    local = home / "AppData" / "Local"
    packaged = local / "Packages" / "Claude_abc" / "LocalCache" / "Roaming" / "Claude"
    newer = local / "Claude-Data" / "claude_abc"
    for folder in (packaged, newer):
        folder.mkdir(parents=True)
        found = place(CLIENTS["claude-desktop"], home=home, platform="win32", environ={})
        assert found.parent == folder


def test_on_windows_nobody_is_told_to_chmod(run: Install) -> None:
    (told,) = [sentence for sentence in run("claude-desktop", platform="win32").say if "Put your API key" in sentence]
    assert "chmod" not in told


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_asked_for_stands_in_the_entry_and_the_rest_of_one_that_is_there_stays(
    client: str, run: Install
) -> None:
    first = run(client, read_only=True, toolsets="instances", settings={"BARRACK_PROTECT": "prod-*"})
    made = entry(client, first.path)
    assert made["args"] == ["-m", "barrack_mcp", "serve", "--read-only", "--toolsets", "instances"]
    assert made["env"]["BARRACK_PROTECT"] == "prod-*"
    again = entry(client, run(client, toolsets="core", settings={"BARRACK_MAX_HOURLY_COST": "20"}).path)
    assert again["args"] == ["-m", "barrack_mcp", "serve", "--read-only", "--toolsets", "core"]
    assert {name: again["env"][name] for name in ("BARRACK_PROTECT", "BARRACK_MAX_HOURLY_COST")} == {
        "BARRACK_PROTECT": "prod-*",
        "BARRACK_MAX_HOURLY_COST": "20",
    }
    without = entry(client, run(client, settings={"BARRACK_PROTECT": ""}).path)
    assert "BARRACK_PROTECT" not in without["env"]
    assert not run(client).changed


def test_a_client_that_takes_few_tools_is_offered_few_and_says_so_once(run: Install) -> None:
    first = run("cursor")
    assert any("--toolsets all" in sentence for sentence in first.say)
    assert not any("--toolsets all" in sentence for sentence in run("cursor").say)
    assert entry("cursor", run("cursor", toolsets="all").path)["args"][-2:] == ["--toolsets", "all"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"BARRACK_PROTECT": "["}, "BARRACK_PROTECT"),
        ({"BARRACK_MAX_HOURLY_COST": "much"}, "BARRACK_MAX_HOURLY_COST"),
        ({"BARRACK_API_URL": "http://elsewhere.example"}, "BARRACK_API_URL"),
    ],
)
@pytest.mark.parametrize("client", CLIENTS)
def test_an_entry_with_which_the_server_would_not_start_is_not_written(
    client: str, settings: dict[str, str], words: str, run: Install, home: Path
) -> None:
    with pytest.raises(InstallError, match=words):
        run(client, settings=settings)
    assert not place(CLIENTS[client], home=home, platform="linux", environ={}).exists()


@pytest.mark.parametrize("client", JSON_CLIENTS)
def test_a_mistyped_setting_of_an_entry_that_is_there_is_told_and_nothing_changes(
    client: str, run: Install, home: Path
) -> None:
    there = {"command": "x", "args": ["serve"], "env": {"BARRACK_PROTEC": "prod-*"}, "disabled": True}
    text = json.dumps({CLIENTS[client].servers: {"barrack": in_its_words(client, there)}})
    path = prepared(client, home, text)
    with pytest.raises(InstallError, match="BARRACK_PROTECT"):
        run(client)
    assert path.read_text(encoding="utf-8") == text
    path.write_text(text.replace("PROTEC", "PROTECT"), encoding="utf-8")
    assert any("switched off" in sentence for sentence in run(client).say)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_project_has_a_file_of_its_own_where_the_client_reads_one(client: str, run: Install, tmp_path: Path) -> None:
    known = CLIENTS[client]
    if known.project is None:
        with pytest.raises(UnknownClientError, match="--project"):
            run(client, project=tmp_path)
        return
    done = run(client, project=tmp_path)
    assert done.path == tmp_path / known.project
    assert entry(client, done.path)["command"] == "/opt/python"


AROUND = {
    "alone": '{"%s": {}}',
    "one line": '{"theme": "dark", "%s": {"mine": {"command": "x"}}}',
    "before others": '{\n  "%s": {\n    "mine": {}\n  },\n  "last": [1, 2]\n}\n',
    "tabs": '{\n\t"a": {"b": 1},\n\t"%s": {\n\t\t"x": {},\n\t\t"y": {}\n\t}\n}\n',
    "windows": '{\r\n  "%s": {\r\n    "mine": {}\r\n  }\r\n}\r\n',
}


def _taken_out(client: str, home: Path) -> Installed:
    return remove(client, home=home, platform="linux", environ={}, now=lambda: NOW)


@pytest.mark.promise("P12")
@pytest.mark.parametrize("text", [OTHERS[Format.JSON], *AROUND.values()], ids=["others", *AROUND])
@pytest.mark.parametrize("client", JSON_CLIENTS)
def test_taking_it_out_again_leaves_every_byte_that_was_there_before(
    client: str, text: str, run: Install, home: Path
) -> None:
    before = (text % CLIENTS[client].servers).encode()
    path = prepared(client, home, before.decode())
    run(client)
    done = _taken_out(client, home)
    assert done.changed
    assert done.backup is not None
    assert b"barrack" in done.backup.read_bytes()
    assert path.read_bytes() == before
    assert not _taken_out(client, home).changed


@pytest.mark.parametrize("client", CLIENTS)
def test_comments_and_what_is_another_s_stay_when_it_is_taken_out(client: str, run: Install, home: Path) -> None:
    known = CLIENTS[client]
    text = OTHERS[known.format] % known.servers
    path = prepared(client, home, text)
    before = held(client, path)
    run(client, key_file=home / "key")
    done = _taken_out(client, home)
    assert {**held(client, path), "inputs": None} == {**before, "inputs": None}
    lines = set(path.read_text(encoding="utf-8").splitlines())
    assert {line for line in text.splitlines() if "//" in line or "#" in line or "12345" in line} <= lines
    assert any(str(home / "key") in sentence for sentence in done.say)


def test_where_it_is_not_nothing_is_taken_out(run: Install, home: Path) -> None:
    assert "has no barrack" in _taken_out("cursor", home).say[0]
    assert not place(CLIENTS["cursor"], home=home, platform="linux", environ={}).exists()
    assert run("cursor").changed


COMMAS = {
    "lines": '{\n  "a": 1,\n  "%s": {\n    "mine": {"command": "x",},\n  },\n}\n',
    "comments": '// top\n{\n\t"%s": {\n\t\t"mine": {}, // mine\n\t\t// the last\n\t},\n}\n',
    "windows, marked": '\ufeff{\r\n  "%s": {\r\n    "mine": { "args": [], },\r\n  },\r\n}\r\n',
    "one line": '{"%s": {"mine": {}, }, }',
}


@pytest.mark.promise("P12")
@pytest.mark.parametrize("text", COMMAS.values(), ids=COMMAS)
@pytest.mark.parametrize("client", JSONC_CLIENTS)
def test_where_the_last_one_has_a_comma_every_byte_is_as_it_was_when_it_is_taken_out_again(
    client: str, text: str, run: Install, home: Path
) -> None:
    before = text % CLIENTS[client].servers
    path = prepared(client, home, before)
    run(client)
    assert before.encode() != path.read_bytes()
    assert not run(client).changed
    _taken_out(client, home)
    assert path.read_bytes() == before.encode()


@pytest.mark.promise("P12")
@pytest.mark.parametrize(
    "text",
    [
        'model = "x"\n',
        'a = 1\r\n[mcp_servers.mine]\r\ncommand = "x"\r\n',
        OTHERS[Format.TOML] % "mcp_servers",
        "[tui]\na = 1 # one\n\n",
    ],
)
def test_of_toml_every_byte_is_as_it_was_when_it_is_taken_out_again(text: str, run: Install, home: Path) -> None:
    path = prepared("codex", home, text)
    run("codex")
    assert path.read_bytes() != text.encode()
    _taken_out("codex", home)
    assert path.read_bytes() == text.encode()
