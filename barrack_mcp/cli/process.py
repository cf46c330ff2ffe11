"""What every command does with its process: reads the settings, runs to an end, exits with a number for scripts."""

from __future__ import annotations

import gc
import getpass
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, ParamSpec, Self, TypeVar

import anyio
import typer

from barrack_mcp.api.redact import Redaction
from barrack_mcp.cli import logs
from barrack_mcp.config import Settings, SettingsError, read_settings
from barrack_mcp.guard.passphrase import PASSPHRASE, is_passphrase
from barrack_mcp.state.store import StoreError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Simulator = Annotated[bool, typer.Option("--simulator", help="Use the embedded simulator: no account, no network.")]

NEITHER: Final = "That is neither yes nor no."
_INTERRUPTED: Final = 130
"""What a shell expects of a process that Ctrl-C ended."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ExitCode(IntEnum):
    """How a command ended, as a number for scripts."""

    meaning: str
    """The same in words."""

    OK = 0, "ok"
    FAILED = 1, "the operation failed"
    USAGE = 2, "usage or settings"
    KEY = 3, "key or permission"
    UNREACHABLE = 4, "unreachable"
    REFUSED = 5, "refused or waiting for a yes"
    UNKNOWN = 6, "outcome unknown"

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a number that knows its meaning."""
        made = int.__new__(cls, code)
        made._value_ = code
        made.meaning = meaning
        return made


def configure(**flags: Any) -> Settings:
    """Read the settings, the command line's flags over all else, and keep their secrets out of the log."""
    try:
        settings = read_settings(os.environ, flags)
    except SettingsError as error:
        sentence = str(error)
        for name, value in flags.items():
            if value is not None:
                # what was typed is named as it was typed
                sentence = sentence.replace(f"BARRACK_{name.upper()} ", f"--{name.replace('_', '-')} ")
        leave(sentence, ExitCode.USAGE)
    others = (settings.webhook_url, settings.webhook_secret, settings.oidc_client_secret)
    secrets = (settings.key, *others, *settings.state_keys)
    logs.write_as(settings.log_format, Redaction(*secrets))
    return settings


def run(function: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run a coroutine function to its end, in an event loop of its own."""

    async def main() -> _T:
        return await function(*args, **kwargs)

    settle()
    try:
        return anyio.run(main)
    except (SettingsError, StoreError) as error:
        leave(str(error), ExitCode.USAGE)
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the first Ctrl-C end what waits for a person to type; an event loop alone would note it and wait on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def is_yes(said: str) -> bool | None:
    """Tell a yes from a no; None if it is neither."""
    word = said.strip().lower()
    if word in ("y", "yes"):
        return True
    return False if word in ("", "n", "no") else None


def forget_typed_ahead() -> None:
    """Drop what was typed, or pasted, before a question was there to be read."""
    if sys.platform != "win32" and sys.stdin.isatty():
        import termios  # noqa: PLC0415 - Windows has none

        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def passphrase_hash(settings: Settings) -> str | None:
    """Answer what a passphrase is held against: as set here, or by the server that asked; None where none is wanted."""
    if settings.approval_passphrase_hash is not None:
        return settings.approval_passphrase_hash
    try:
        return (settings.state_folder / PASSPHRASE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        # nothing matches what can't be read
        return ""


def passphrase_given(settings: Settings) -> bool:
    """Ask for the passphrase where one is wanted, and say whether it was typed right."""
    hashed = passphrase_hash(settings)
    if hashed is None:
        return True
    with interruptible():
        return is_passphrase(getpass.getpass("Passphrase for approvals: "), hashed)


def command_line() -> str:
    """Write how this was called, so that it works again from the same shell: by its path, unless a shell finds it."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return shlex.join([sys.executable, "-m", "barrack_mcp"])
    found = shutil.which(called.name)
    return called.name if found is not None and Path(found) == called else shlex.quote(str(called))


def settle() -> None:
    """Look for garbage from now on, but never in what has been loaded."""
    gc.freeze()
    gc.enable()


def find_home() -> Path:
    """Answer the user's home folder, or end."""
    try:
        return Path.home()
    except RuntimeError:
        leave("Where your home is isn't known here; set HOME to it, or name the file.", ExitCode.USAGE)


def leave(sentence: str, code: ExitCode) -> NoReturn:
    """End with a sentence on stderr, or several on lines of their own."""
    complain(sentence)
    raise typer.Exit(code)


def complain(sentence: str) -> None:
    """Say on stderr what is wrong."""
    for line in sentence.splitlines():
        typer.echo(f"barrack-mcp: {line}", err=True)
