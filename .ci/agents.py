"""Let each agent command line start the server as `barrack-mcp install` says, and follow a script through it.

The model is a script on this machine, so what is tried is all but the model: the client reads its file, starts the
server, offers its tools, and calls a read and something that needs a person's yes. Nobody is there to say it, and
whatever the client then answers by itself, the model must be told that a yes is needed. An agent that wants an account
of its maker's to work is let list its servers. The folder that npm installed into is the first argument, a scratch
folder the second; the names of agents follow.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from scripted import SAYS, Call, Script, named, serving

from barrack_mcp.catalogue import OFFERS
from barrack_mcp.cli.install.clients import SERVER

PRODUCT: Final = (sys.executable, "-m", "barrack_mcp")
LONGEST_S: Final = 300
MACHINE: Final = "BRK-103339D"
CALLS: Final = (Call("list_instances", {}), Call("stop_instance", {"instance_id": MACHINE}))
QWEN_FILE: Final = ".qwen/settings.json"
NEEDS_YES: Final = "needs a person's yes"


@dataclass(frozen=True)
class Agent:
    """An agent on the command line.

    Args:
        client: As `barrack-mcp install` names it; `other` for one whose file is made of what `--print` shows.
        words: What is typed to let it work, or, if it wants an account for that, to let it list its servers.
        env: What it finds in its environment; `{url}` is the model's address.
        files: What else it finds, by path below its home, merged into what is there.
        works: Whether it works without an account of its maker's.
    """

    client: str
    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    works: bool = True


_CODEX: Final = (
    "mcp_servers.barrack.required=true",
    "model_provider='scripted'",
    "model_providers.scripted={name='scripted', base_url='{url}/v1', wire_api='responses', env_key='SCRIPTED_KEY'}",
)
AGENTS: Final = {
    "claude": Agent(
        "claude-code",
        ("-p", "Go.", "--model", "claude-sonnet-4-5", "--allowedTools", "mcp__barrack"),
        {
            "ANTHROPIC_BASE_URL": "{url}",
            "ANTHROPIC_API_KEY": "scripted",
            "ENABLE_TOOL_SEARCH": "false",
            "MCP_CONNECTION_NONBLOCKING": "0",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    ),
    "codex": Agent(
        "codex",
        (
            *("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "-m", "gpt-5"),
            *(word for each in _CODEX for word in ("-c", each)),
            "Go.",
        ),
        {"SCRIPTED_KEY": "scripted"},
    ),
    "gemini": Agent(
        "gemini",
        ("-p", "Go.", "--yolo", "-m", "gemini-2.5-flash"),
        {
            "GOOGLE_GEMINI_BASE_URL": "{url}",
            "GEMINI_API_KEY": "scripted",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
        {".gemini/settings.json": {"security": {"auth": {"selectedType": "gemini-api-key"}}}},
    ),
    "opencode": Agent(
        "opencode",
        ("run", "--model", "scripted/m", "Go."),
        {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"},
        {
            ".config/opencode/opencode.json": {
                "provider": {
                    "scripted": {
                        "npm": "@ai-sdk/openai-compatible",
                        "options": {"baseURL": "{url}/v1", "apiKey": "scripted"},
                        "models": {"m": {}},
                    }
                }
            }
        },
    ),
    "qwen": Agent(
        "other",
        ("-p", "Go.", "--yolo", "--auth-type", "openai"),
        {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "scripted", "OPENAI_MODEL": "m"},
        {QWEN_FILE: {"tools": {"toolSearch": {"enabled": False}}}},
    ),
    "copilot": Agent("copilot-cli", ("mcp", "get", "barrack"), works=False),
    "cline": Agent("cline", ("config", "mcp", "--json"), works=False),
}


def run(words: list[str], env: Mapping[str, str], place: Path) -> str:
    """Let a command end; answers all that it said."""
    done = subprocess.run(  # noqa: S603 - what .ci/agents installed
        words,
        env=env,
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    return f"{done.stdout}\nended with {done.returncode}"


def install(agent: Agent, home: Path, env: Mapping[str, str], url: str) -> None:
    """Put the server into the agent's file as a person would, and beside it what it needs to work."""
    words = [*PRODUCT, "install", agent.client, "--simulator", "--no-try"]
    if agent.client == "other":
        words.append("--print")
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    if agent.client == "other":
        pasted = home / QWEN_FILE
        pasted.parent.mkdir(parents=True)
        pasted.write_text(done.stdout, encoding="utf-8")
    for where, more in agent.files.items():
        path = home / where
        there = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**there, **json.loads(json.dumps(more).replace("{url}", url))}), encoding="utf-8")


def tried(name: str, commands: Path, scratch: Path) -> list[str]:
    """Try one agent; answers what is wrong."""
    agent, began = AGENTS[name], time.monotonic()
    home, place = scratch / name / "home", scratch / name / "place"
    home.mkdir(parents=True)
    place.mkdir()
    script = Script(CALLS)
    with serving(script) as url:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "BARRACK_STATE": str(home / "state.db"),
            **{each: value.replace("{url}", url) for each, value in agent.env.items()},
        }
        install(agent, home, env, url)
        said = run([str(commands / name), *(word.replace("{url}", url) for word in agent.words)], env, place)
    if agent.works:
        wrong = [f"{each}\n{said}" for each in missing(script, said)]
    else:
        wrong = [] if SERVER in said else [f"its own list of servers has no {SERVER}: {said}"]
    sys.stdout.write(
        f"{name}: {time.monotonic() - began:.1f} s, {len(script.offered)} tools, {len(script.results)} results\n"
    )
    return wrong


def missing(script: Script, said: str) -> list[str]:
    """Answer what did not come to the model or to the person as it should."""
    lacks = [tool for tool in OFFERS if named(tool, script.offered) is None]
    wrong = [f"not offered to the model: {', '.join(lacks)}"] if lacks else []
    if len(script.results) != len(CALLS):
        return [*wrong, f"{len(script.results)} of {len(CALLS)} calls came back"]
    listed, stopped = script.results
    if MACHINE not in listed:
        wrong.append(f"the list came back as {listed[:500]}")
    if NEEDS_YES not in stopped:
        wrong.append(f"the call that needs a person's yes came back as {stopped[:500]}")
    if SAYS not in said:
        wrong.append("the model's last word was not shown")
    return wrong


def main(commands: Path, scratch: Path, *names: str) -> None:
    """Try the agents, two at a time, and end with an error if anything is wrong."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        found = dict(zip(names, pool.map(lambda name: tried(name, commands, scratch), names), strict=True))
    if wrong := [f"{name}: {each}" for name, every in found.items() for each in every]:
        raise SystemExit("\n\n".join(wrong))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *(sys.argv[3:] or AGENTS))
