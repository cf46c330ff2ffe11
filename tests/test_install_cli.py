"""`barrack-mcp install` and `barrack-mcp tools --stats` as a person types them."""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner, Result

from barrack_mcp.catalogue import OFFERS
from barrack_mcp.cli.app import MODULES, Commands, app, outlines
from barrack_mcp.cli.install.clients import CLIENTS
from barrack_mcp.cli.install.command import clients_beginning
from barrack_mcp.cli.install.places import place
from barrack_mcp.cli.tools.listing import as_stats
from barrack_mcp.config import Settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def typed(home: Path, *words: str, path: str = "") -> Result:
    moved = dict.fromkeys(("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "APPDATA", "LOCALAPPDATA"), "")
    env = {"HOME": str(home), "USERPROFILE": str(home), "PATH": path, **moved}
    unproved = ["--no-try"] if words[0] == "install" and "--help" not in words else []
    return CliRunner().invoke(app, [*words, *unproved], env=env)


def file_of(client: str, home: Path) -> Path:
    return place(CLIENTS[client], home=home, platform=sys.platform, environ={})


@pytest.mark.parametrize("client", CLIENTS)
def test_install_writes_says_what_is_left_to_do_and_the_second_time_changes_nothing(client: str, home: Path) -> None:
    first = typed(home, "install", client)
    assert first.exit_code == 0
    assert first.stdout.startswith(f"Wrote {file_of(client, home)}.")
    assert CLIENTS[client].then in first.stdout
    again = typed(home, "install", client)
    assert again.exit_code == 0
    assert "has it already" in again.stdout


def test_what_is_printed_can_be_pasted_and_nothing_is_written(home: Path) -> None:
    done = typed(home, "install", "cursor", "--print", "--simulator", "--launcher", "here")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["mcpServers"]["barrack"]["args"][-4:-2] == ["serve", "--simulator"]
    assert str(file_of("cursor", home)) in done.stderr
    assert not home.exists()


def test_the_form_for_other_clients_can_be_pasted_and_how_to_serve_one_over_http_is_told(home: Path) -> None:
    done = typed(home, "install", "other", "--print", "--toolsets", "core")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["mcpServers"]["barrack"]["args"][-3:] == ["serve", "--toolsets", "core"]
    assert "--transport http --toolsets core" in done.stderr
    refused = typed(home, "install", "other")
    assert refused.exit_code == 2
    assert "other --print" in refused.stderr


def test_a_shell_completes_clients_by_their_beginning() -> None:
    assert [name for name, _ in clients_beginning("c")] == [name for name in CLIENTS if name.startswith("c")]
    assert clients_beginning("oth") == [("other", "Another client")]


def test_a_mistyped_client_ends_with_2_and_a_guess(home: Path) -> None:
    done = typed(home, "install", "claude_code")
    assert done.exit_code == 2
    assert "did you mean claude-code?" in done.stderr


def test_a_file_that_can_not_be_edited_ends_with_1_and_what_to_paste(home: Path) -> None:
    path = file_of("cursor", home)
    path.parent.mkdir(parents=True)
    path.write_text("[]", encoding="utf-8")
    done = typed(home, "install", "cursor")
    assert done.exit_code == 1
    assert "not an object" in done.stderr
    assert "barrack" in json.loads(done.stdout)["mcpServers"]
    assert path.read_text(encoding="utf-8") == "[]"


def test_a_key_file_is_named_in_the_clients_file(home: Path) -> None:
    assert typed(home, "install", "gemini", "--key-file", str(home / "key")).exit_code == 0
    written = json.loads(file_of("gemini", home).read_text(encoding="utf-8"))
    assert written["mcpServers"]["barrack"]["env"] == {"BARRACK_API_KEY_FILE": str(home / "key")}


def test_the_sizes_of_the_surfaces_are_shown(home: Path) -> None:
    done = typed(home, "tools", "--stats")
    assert done.exit_code == 0
    assert done.stdout.rstrip("\n") == as_stats()


def test_help_lists_every_command_with_what_it_does(home: Path) -> None:
    said = typed(home, "--help").stdout
    assert all(re.search(rf"│ {name} +\w", said) for name in MODULES)
    assert typed(home, "--help").exit_code == 0


@pytest.mark.parametrize("name", MODULES)
def test_what_help_says_of_a_command_without_loading_it_is_what_the_command_says_of_itself(name: str) -> None:
    commands = typer.main.get_command(app)
    assert isinstance(commands, Commands)
    loaded = commands.get_command(None, name)
    listed = outlines()[name]
    assert listed.help == inspect.cleandoc(loaded.help) != ""


def test_a_mistyped_command_ends_with_2_and_a_guess(home: Path) -> None:
    for word, hint in (
        ("audi", "did you mean audit?"),
        ("docter", "did you mean doctor?"),
        ("list-instances", "did you mean the tool list_instances? `barrack-mcp call"),
        ("zzz", "`barrack-mcp --help` lists them."),
    ):
        done = typed(home, word)
        assert done.exit_code == 2
        assert f"No such command; {hint}" in done.stderr


def test_a_command_and_an_option_in_capitals_are_what_they_mean(home: Path) -> None:
    for words in (["TOOLS", "--Stats"], ["tools", "--STATS"], ["Tools", "--stats"]):
        assert typed(home, *words).stdout.rstrip("\n") == as_stats()
    assert "barrack-mcp audit tail" in typed(home, "AUDIT", "Tail", "--HELP").stdout


def test_an_install_without_a_client_names_those_there_are(home: Path) -> None:
    done = typed(home, "install")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"barrack-mcp: Name your client: {', '.join(CLIENTS)}; or other")


@pytest.mark.slow
@pytest.mark.parametrize("client", ["claude-code", "cursor", "codex", "opencode"])
def test_an_entry_is_started_once_and_its_tools_are_counted(client: str, home: Path) -> None:
    env = {"HOME": str(home), "USERPROFILE": str(home), "BARRACK_STATE": str(home / "s.db"), "XDG_CONFIG_HOME": ""}
    done = CliRunner().invoke(app, ["install", client, "--simulator"], env=env)
    few = CLIENTS[client].toolsets
    assert done.exit_code == 0
    count = sum(Settings(toolsets=(few or "all",)).offers(offer) for offer in OFFERS.values())
    assert done.stdout.rstrip().endswith(f"it lists {count} tools.")


@pytest.mark.slow
def test_an_entry_that_does_not_start_is_told_with_what_it_says(home: Path) -> None:
    env = {"HOME": str(home), "USERPROFILE": str(home), "BARRACK_STATE": "not/from/the/root"}
    done = CliRunner().invoke(app, ["install", "gemini", "--simulator"], env=env)
    assert done.exit_code == 1
    assert "it lists no tools: «BARRACK_STATE" in done.stderr


def test_settings_are_set_by_their_names_and_a_key_never_is(home: Path) -> None:
    done = typed(home, "install", "gemini", "--set", "protect=prod-*", "--set", "BARRACK_MAX_HOURLY_COST=20")
    assert done.exit_code == 0
    written = json.loads(file_of("gemini", home).read_text(encoding="utf-8"))["mcpServers"]["barrack"]["env"]
    assert (written["BARRACK_PROTECT"], written["BARRACK_MAX_HOURLY_COST"]) == ("prod-*", "20")
    for wrong, words in (("PROTEC=x", "BARRACK_PROTECT"), ("API_KEY=secret-5", "--key-file"), ("x", "NAME=VALUE")):
        refused = typed(home, "install", "gemini", "--set", wrong)
        assert refused.exit_code == 2
        assert words in refused.stderr
        assert "secret-5" not in refused.output


def test_what_was_installed_is_taken_out_again(home: Path) -> None:
    typed(home, "install", "claude-code")
    done = typed(home, "install", "claude-code", "--remove")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"Took barrack out of {file_of('claude-code', home)}")
    assert json.loads(file_of("claude-code", home).read_text(encoding="utf-8")) == {"mcpServers": {}}
