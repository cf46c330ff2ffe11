"""Puts the server into a client's own file: what is in it stays, the old file is kept, the key is never written."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from barrack_mcp.api.text import cite
from barrack_mcp.cli.install.clients import (
    KEY,
    KEY_FILE,
    OTHER,
    SERVE,
    SERVER,
    SIMULATOR,
    Client,
    Json,
    client_named,
)
from barrack_mcp.cli.install.entries import (
    document,
    entry,
    inputs,
    is_filled_in,
    is_reference,
    shelf,
    takes_reference,
    understood,
    worded,
)
from barrack_mcp.cli.install.file import (
    ChangedError,
    Edit,
    content,
    current,
    edited,
    put_in_place,
    rendered,
    taken_out,
)
from barrack_mcp.cli.install.jsonc import BrokenError, ShapeError
from barrack_mcp.cli.install.places import place
from barrack_mcp.config import PREFIX, SettingsError, default_key_file, read_settings

_ADDRESS: Final = "http://127.0.0.1:8765/mcp"
"""Where `serve --transport http` answers unless it is told otherwise."""
_LONGEST_COMMAND: Final = 2_000
_READ_ONLY: Final = "--read-only"
_TOOLSETS: Final = "--toolsets"


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
        path: The client's file; empty for a client that we don't know.
        snippet: What the server alone looks like in such a file.
        changed: Whether the file was written.
        backup: Where its former content is; None if there was none, or nothing was written.
        say: What a person should know and do now: one sentence each. Never holds the key.
        entry: What the client's file says of the server now, in our words.
    """

    path: Path
    snippet: str
    changed: bool
    backup: Path | None
    say: tuple[str, ...]
    entry: Mapping[str, Json]

    @property
    def lacks_key(self) -> bool:
        """Whether it names a file for the key that isn't there yet, without which the server doesn't start."""
        file = _section(self.entry, "env").get(KEY_FILE)
        return file is not None and not Path(str(file)).exists()


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
    read_only: bool = False,
    toolsets: str | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
    project: Path | None = None,
) -> Installed:
    """Write the server into a client's file, or only say what would be written. Twice is as once.

    Args:
        client: Its name, one of those in `CLIENTS`.
        print_only: Whether to touch nothing.
        home: The user's home folder.
        platform: As `sys.platform` says it.
        environ: The environment, for the variables with which a client's folder is moved. No key is read from it.
        command: What starts barrack-mcp, without `serve`.
        now: The clock, in seconds since 1970; names the backup.
        simulator: Whether the server runs on the simulator, which needs no key.
        key_file: The file that holds the key; None for the one that `barrack-mcp key` keeps, or, where there is none,
            for the client's own way to pass it on.
        read_only: Whether it offers reads alone.
        toolsets: What it offers; as it is there, or as the client can take, if None.
        settings: Further settings by their names; one that is empty is taken out.
        project: The folder of a project that shares the file; None for the user's own.

    Raises:
        UnknownClientError: No client has that name, or it reads no file of a project.
        InstallError: The file can't be read, changed safely or written; it was left untouched.
    """
    known = OTHER if print_only and client == OTHER.name else client_named(client)
    file = key_file or _kept_key(known, home, project)
    offered = toolsets or known.toolsets
    made = entry(
        known,
        command,
        simulator=simulator,
        key_file=None if file is None else str(file.absolute()),
        flags=[*([_READ_ONLY] if read_only else []), *([_TOOLSETS, offered] if offered else [])],
        settings={name: value for name, value in settings.items() if value},
    )
    _check(made, environ)
    snippet = rendered(known, document(known, made))
    few = (
        (f"{known.title} takes few tools, so it is offered the {offered} ones; --toolsets all offers every one.",)
        if offered and not toolsets
        else ()
    )
    if known is OTHER:
        say = (known.then, *_key(known, made, platform), _over_http(made))
        return Installed(Path(), snippet, changed=False, backup=None, say=say, entry=made)
    path = place(known, home=home, platform=platform, environ=environ, project=project)
    if print_only:
        say = (f"Belongs into {path}.", *_key(known, made, platform), *few)
        return Installed(path, snippet, changed=False, backup=None, say=say, entry=made)
    change = _Change(insist=key_file is not None, read_only=read_only, toolsets=toolsets, settings=settings)
    with _told(path, snippet):
        return _write(known, path, made, snippet, now, environ, platform=platform, change=change, few=few)


def _kept_key(client: Client, home: Path, project: Path | None) -> Path | None:
    """Where the key is that `barrack-mcp key` keeps; None if it keeps none and the client has a way of its own.

    A file that a project shares names no place in one person's home while the client can do without.
    """
    file = default_key_file(home)
    wanted = not takes_reference(client) or (project is None and file.is_file())
    return file if wanted else None


def _over_http(made: Mapping[str, Json]) -> str:
    """Say how a client is served that takes an address alone."""
    arguments = list(made["args"])
    own = arguments.index(SERVE) + 1
    typed = shlex.join([made["command"], *arguments[:own], "--transport", "http", *arguments[own:]])
    entry_of_most = json.dumps({OTHER.servers: {SERVER: {"url": _ADDRESS}}})
    return (
        f"A client that takes an address alone: start {cite(typed, limit=_LONGEST_COMMAND)} yourself and give it "
        f"{_ADDRESS}, as {entry_of_most}."
    )


def remove(
    client: str,
    *,
    home: Path,
    platform: str,
    environ: Mapping[str, str],
    now: Callable[[], float],
    project: Path | None = None,
) -> Installed:
    """Take the server out of a client's file; the old file is kept beside it, and so is the key's.

    Raises:
        UnknownClientError: No client has that name, or it reads no file of a project.
        InstallError: The file can't be read, changed safely or written; it was left untouched.
    """
    known = client_named(client)
    path = place(known, home=home, platform=platform, environ=environ, project=project)
    with _told(path, ""):
        old = current(path)
        text = (old or b"").decode("utf-8")
        holds = content(known, text)
        there = _found(known, holds)
        new = taken_out(known, text)
        if new == text:
            return Installed(path, "", changed=False, backup=None, say=(f"{path} has no {SERVER}.",), entry={})
        backup = put_in_place(path, old, new.encode(), stamp=_stamp(now))
        say = [f"Took {SERVER} out of {path}; what it held is kept in {backup}."]
        if key_file := _section(there, "env").get(KEY_FILE) if there is not None else None:
            say.append(f"The key stays in {key_file}.")
        return Installed(
            path,
            "",
            changed=True,
            backup=backup,
            say=(*say, f"{known.title} lets go of it when it is started again."),
            entry={},
        )


@contextmanager
def _told(path: Path, snippet: str) -> Iterator[None]:
    """Say in one sentence why a file was left as it was."""
    try:
        yield
    except (BrokenError, UnicodeDecodeError) as error:
        raise InstallError(
            f"{path} can't be read, and was left as it is: {_why(error)}. Mend it, then try again."
        ) from None
    except ShapeError as error:
        paste = " Put this into it by hand:" if snippet else ""
        raise InstallError(f"{path} was left as it is: {error}.{paste}", snippet) from None
    except ChangedError:
        raise InstallError(f"{path} was changed by another program meanwhile; try again.") from None
    except OSError as error:
        raise InstallError(f"{path} can't be read or written ({error.strerror}).") from None


def literal(made: Mapping[str, Json]) -> dict[str, str]:
    """The environment that an entry says itself, without what its client fills in."""
    env = _section(made, "env")
    return {name: value for name, value in env.items() if isinstance(value, str) and not is_filled_in(value)}


def _check(made: Mapping[str, Json], environ: Mapping[str, str]) -> None:
    """See that the server will take the settings of an entry.

    Raises:
        InstallError: It would refuse to start.
    """
    # where the key comes from is told apart: its file may still be made
    said = {name: value for name, value in literal(made).items() if name not in {KEY, KEY_FILE}}
    around = {name: value for name, value in environ.items() if not name.startswith(PREFIX)}
    arguments = list(made["args"])
    flags = {"toolsets": arguments[arguments.index(_TOOLSETS) + 1]} if _TOOLSETS in arguments[:-1] else {}
    try:
        read_settings({**around, **said}, {**flags, "read_only": True if _READ_ONLY in arguments else None})
    except SettingsError as error:
        raise InstallError(
            f"The server would not start so: {' '.join(str(error).splitlines())} Nothing was written."
        ) from None


@dataclass(frozen=True)
class _Change:
    """What is asked for beyond the server itself.

    Args:
        insist: Whether a key file is to replace another way to the key.
        read_only: Whether only reads are offered from now on.
        toolsets: What is offered from now on; None if that stays.
        settings: Settings to set; an empty one is taken out.
    """

    insist: bool
    read_only: bool
    toolsets: str | None
    settings: Mapping[str, str]


def _stamp(now: Callable[[], float]) -> str:
    return datetime.fromtimestamp(now(), UTC).strftime("%Y%m%dT%H%M%SZ")


def _write(
    client: Client,
    path: Path,
    made: Mapping[str, Json],
    snippet: str,
    now: Callable[[], float],
    environ: Mapping[str, str],
    *,
    platform: str,
    change: _Change,
    few: tuple[str, ...],
) -> Installed:
    old = current(path)
    text = (old or b"").decode("utf-8")
    holds = content(client, text)
    there = _found(client, holds)
    wanted = made if there is None else {**there, **_renewal(there, made, change)}
    _check(wanted, environ)
    where = (*shelf(client, holds), SERVER)
    said = worded(client, wanted)
    if there is None:
        edits: list[Edit] = [(where, said)]
    else:
        old_words = worded(client, there)
        edits = [((*where, name), value) for name, value in said.items() if old_words.get(name) != value]
    asked = [item for item in inputs(wanted) if item["id"] not in _ids(holds)]
    new = edited(client, text, edits, asked)
    off = wanted.get("disabled") is True or wanted.get("enabled") is False
    then = (
        *_key(client, wanted, platform),
        *(few if there is None else ()),
        *((f"It is switched off there; switch it on in {client.title}.",) if off else ()),
        client.then,
    )
    if new == text:
        say = (f"{path} has it already.", *then)
        return Installed(path, snippet, changed=False, backup=None, say=say, entry=wanted)
    backup = put_in_place(path, old, new.encode(), stamp=_stamp(now))
    kept = f"; what it held is kept in {backup}" if backup else ""
    say = (f"Wrote {path}{kept}.", *then)
    return Installed(path, snippet, changed=True, backup=backup, say=say, entry=wanted)


def _found(client: Client, holds: Mapping[str, Json]) -> dict[str, Json] | None:
    """Answer what a client's file says of the server, in our words; None if it has none."""
    servers = holds
    for name in shelf(client, holds):
        servers = _section(servers, name)
    there = servers.get(SERVER)
    if there is None:
        return None
    if not isinstance(there, Mapping):
        raise ShapeError(f"its {cite(SERVER)} is not an object")
    return understood(client, there)


def _renewal(there: Mapping[str, Json], made: Mapping[str, Json], change: _Change) -> dict[str, Json]:
    """Renew what starts the server, in an entry that is there; a person's own flags, environment and the rest stay."""
    arguments = there.get("args")
    if not isinstance(arguments, Sequence) or isinstance(arguments, str) or SERVE not in arguments:
        raise ShapeError(f"its {cite(SERVER)} starts something else")
    flags = _flags(arguments[arguments.index(SERVE) + 1 :], made, change)
    wanted = list(made["args"])
    new = {
        name: value
        for name, value in made.items()
        if name in {"command", "type"} or (name not in there and name not in {"env", "env_vars"})
    }
    new["args"] = [*wanted[: wanted.index(SERVE) + 1], *flags]
    new |= _environment(there, made, insist=change.insist)
    set_to = {**_section(new if "env" in new else there, "env"), **change.settings}
    if change.settings:
        new["env"] = {name: value for name, value in set_to.items() if value or name not in change.settings}
    return new


def _flags(there: Sequence[Json], made: Mapping[str, Json], change: _Change) -> list[Json]:
    """The flags of an entry that is there, with what was asked for put in its place."""
    flags = [flag for flag in there if flag != SIMULATOR]
    if change.read_only and _READ_ONLY not in flags:
        flags.append(_READ_ONLY)
    if change.toolsets is not None:
        kept = iter(flags)
        flags = [flag for flag in kept if not _names_toolsets(flag, kept)]
        flags += [_TOOLSETS, change.toolsets]
    return [SIMULATOR, *flags] if SIMULATOR in made["args"] else flags


def _names_toolsets(flag: Json, rest: Iterator[Json]) -> bool:
    """Whether a flag says which toolsets are offered; where it says it in two words, the second is passed over, too."""
    if flag == _TOOLSETS:
        next(rest, None)
        return True
    return str(flag).startswith(f"{_TOOLSETS}=")


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
    if KEY in env and not is_reference(str(env[KEY])):
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
