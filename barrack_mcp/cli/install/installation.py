"""Puts the server into a client's own file: what is in it stays, the old file is kept, the key is never written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from barrack_mcp.api.text import cite
from barrack_mcp.cli.install.clients import (
    KEY,
    KEY_FILE,
    SERVE,
    SERVER,
    SIMULATOR,
    Client,
    Json,
    client_named,
    document,
    entry,
    inputs,
    place,
    takes_reference,
)
from barrack_mcp.cli.install.file import ChangedError, Edit, content, current, edited, put_in_place, rendered
from barrack_mcp.cli.install.jsonc import BrokenError, ShapeError
from barrack_mcp.config import default_key_file


class InstallError(Exception):
    """The file was left untouched.

    Args:
        message: Why, and what to do.
        snippet: What to paste by hand; empty if that would not help.
    """

    def __init__(self, message: str, snippet: str = "") -> None:
        super().__init__(message)
        self.snippet = snippet


@dataclass(frozen=True)
class Installed:
    """What was done.

    Args:
        path: The client's file.
        snippet: What the server alone looks like in such a file.
        changed: Whether the file was written.
        backup: Where its former content is; None if there was none, or nothing was written.
        say: What a person should know and do now: one sentence each. Never holds the key.
    """

    path: Path
    snippet: str
    changed: bool
    backup: Path | None
    say: tuple[str, ...]


def install(
    client: str,
    *,
    print_only: bool,
    home: Path,
    platform: str,
    environ: Mapping[str, str],
    command: Sequence[str],
    now: Callable[[], float],
    simulator: bool = False,
    key_file: Path | None = None,
) -> Installed:
    """Write the server into a client's user-level file, or only say what would be written. Twice is as once.

    Args:
        client: Its name, one of those in `CLIENTS`.
        print_only: Whether to touch nothing.
        home: The user's home folder.
        platform: As `sys.platform` says it.
        environ: The environment, for the variables with which a client's folder is moved. No key is read from it.
        command: What starts barrack-mcp, without `serve`.
        now: The clock, in seconds since 1970; names the backup.
        simulator: Whether the server runs on the simulator, which needs no key.
        key_file: The file that holds the key; None for the client's own way to pass it on.

    Raises:
        UnknownClientError: No client has that name.
        InstallError: The file can't be read, changed safely or written; it was left untouched.
    """
    known = client_named(client)
    path = place(known, home=home, platform=platform, environ=environ)
    by_default = None if takes_reference(known) else default_key_file(home)
    file = key_file or by_default
    made = entry(known, command, simulator=simulator, key_file=None if file is None else str(file.absolute()))
    snippet = rendered(known, document(known, made))
    if print_only:
        return Installed(
            path, snippet, changed=False, backup=None, say=(f"Belongs into {path}.", *_key(known, made, platform))
        )
    try:
        return _write(known, path, made, snippet, now, platform=platform, insist=key_file is not None)
    except (BrokenError, UnicodeDecodeError) as error:
        raise InstallError(
            f"{path} can't be read, and was left as it is: {_why(error)}. Mend it, then try again."
        ) from None
    except ShapeError as error:
        raise InstallError(f"{path} was left as it is: {error}. Put this into it by hand:", snippet) from None
    except ChangedError:
        raise InstallError(f"{path} was changed by another program meanwhile; try again.") from None
    except OSError as error:
        raise InstallError(f"{path} can't be read or written ({error.strerror}).") from None


def _write(
    client: Client,
    path: Path,
    made: Mapping[str, Json],
    snippet: str,
    now: Callable[[], float],
    *,
    platform: str,
    insist: bool,
) -> Installed:
    old = current(path)
    text = (old or b"").decode("utf-8")
    holds = content(client, text)
    there = _section(holds, client.servers).get(SERVER)
    edits = [((client.servers, SERVER), made)] if there is None else _renewal(client, there, made, insist=insist)
    wanted = {**(there or {}), **{path[-1]: value for path, value in edits}} if there is not None else made
    asked = [item for item in inputs(wanted) if item["id"] not in _ids(holds)]
    new = edited(client, text, edits, asked)
    then = (*_key(client, wanted, platform), client.then)
    if new == text:
        return Installed(path, snippet, changed=False, backup=None, say=(f"{path} has it already.", *then))
    stamp = datetime.fromtimestamp(now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    backup = put_in_place(path, old, new.encode(), stamp=stamp)
    kept = f"; what it held is kept in {backup}" if backup else ""
    return Installed(path, snippet, changed=True, backup=backup, say=(f"Wrote {path}{kept}.", *then))


def _renewal(client: Client, there: Json, made: Mapping[str, Json], *, insist: bool) -> list[Edit]:
    """Renew what starts the server, in an entry that is there; a person's own flags, environment and the rest stay."""
    arguments = there.get("args") if isinstance(there, Mapping) else None
    if not isinstance(arguments, Sequence) or isinstance(arguments, str) or SERVE not in arguments:
        raise ShapeError(f"its {cite(SERVER)} starts something else")
    flags = list(arguments[arguments.index(SERVE) + 1 :])
    wanted = list(made["args"])
    simulator = wanted[-1] == SIMULATOR
    if simulator:
        wanted.pop()
        flags = flags if SIMULATOR in flags else [SIMULATOR, *flags]
    else:
        flags = [flag for flag in flags if flag != SIMULATOR]
    new = {
        name: value
        for name, value in made.items()
        if name in {"command", "type"} or (name not in there and name not in {"env", "env_vars"})
    }
    new["args"] = [*wanted, *flags]
    new |= _environment(there, made, insist=insist)
    return [((client.servers, SERVER, name), value) for name, value in new.items() if there.get(name) != value]


def _environment(there: Mapping[str, Json], made: Mapping[str, Json], *, insist: bool) -> dict[str, Json]:
    """Answer where the key comes from: as it is there, unless nothing is or a key file is asked for."""
    own = _section(there, "env")
    passed = there.get("env_vars") or []
    if not isinstance(passed, Sequence) or isinstance(passed, str):
        raise ShapeError("its «env_vars» is not an array")
    new: Mapping[str, Json] = made.get("env") or {}
    has_one = bool({KEY, KEY_FILE} & {*own, *(name for name in passed if isinstance(name, str))})
    if KEY_FILE in new and (insist or not has_one):
        kept = {name: value for name, value in own.items() if name not in {KEY, KEY_FILE}}
        rest = [name for name in passed if name != KEY]
        return {"env": {**kept, **new}, **({"env_vars": rest} if rest != list(passed) else {})}
    if has_one:
        return {name: there[name] for name in ("env", "env_vars") if name in there}
    if "env_vars" in made:
        return {"env_vars": [*passed, KEY]}
    return {"env": {**own, **new}} if new else {}


def _key(client: Client, made: Mapping[str, Json], platform: str) -> tuple[str, ...]:
    """Say where the key comes from and what is to be done for it, in one sentence."""
    env = _section(made, "env")
    if SIMULATOR in made["args"]:
        return ("It runs on the simulator, which needs no key.",)
    if KEY_FILE in env:
        file = Path(str(env[KEY_FILE]))
        if file.exists():
            return (f"It reads the key from {file}.",)
        how = "." if platform == "win32" else f": chmod 600 {file}"
        return (f"Put your API key into {file}, alone, and let nobody else read it{how}",)
    if inputs(made):
        return (f"{client.title} asks for the API key when the server first starts, and keeps it.",)
    if KEY in env and "$" not in str(env[KEY]):
        return ("The file holds a key in the clear; --key-file takes it out, and the backups should go too.",)
    return (f"{client.title} passes on {KEY} from the environment it is started in: set it there.",)


def _section(holds: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    found = holds.get(name, {})
    if not isinstance(found, Mapping):
        raise ShapeError(f"its {cite(name)} is not an object")
    return found


def _ids(holds: Mapping[str, Json]) -> list[Json]:
    found = holds.get("inputs", [])
    if not isinstance(found, list):
        raise ShapeError("its «inputs» is not an array")
    return [item.get("id") for item in found if isinstance(item, Mapping)]


def _why(error: BrokenError | UnicodeDecodeError) -> str:
    return str(error) if isinstance(error, BrokenError) else "it is not UTF-8 text"
