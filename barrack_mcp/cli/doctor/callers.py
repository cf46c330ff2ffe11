"""Who may call over HTTP: whether the files that say so can be followed, and the identity provider, if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from barrack_mcp.account.things import counted
from barrack_mcp.api.http.fetch import FetchError
from barrack_mcp.cli.doctor.report import Check, Verdict
from barrack_mcp.cli.process import ExitCode
from barrack_mcp.config import Settings
from barrack_mcp.config.callers import CallersError, read_callers
from barrack_mcp.config.keys import read_keys

SECONDS: Final = 8.0

_CALLERS: Final = "callers"
_PROVIDER: Final = "identity provider"
_NOT_FOLLOWED: Final = "The identity provider can't be followed."
_NOBODY: Final = "Until then nobody who comes with its tokens is let in."


async def look_for_callers(settings: Settings) -> list[Check]:
    """Look at everything that says who may call; nothing where nothing does.

    Args:
        settings: What the operator set.
    """
    found = [*await anyio.to_thread.run_sync(lambda: list(_files(settings)))]
    if settings.oidc_issuer is None:
        return found
    if settings.oidc_audience is None:
        told = (
            "BARRACK_OIDC_ISSUER is set and BARRACK_OIDC_AUDIENCE is not: a token for another service lets nobody in."
        )
        mend = "Set BARRACK_OIDC_AUDIENCE to what its tokens for this server name as their audience."
        return [*found, Check(_PROVIDER, Verdict.FAILS, told, mend, ExitCode.USAGE)]
    with anyio.move_on_after(SECONDS):
        return [*found, await _provider(settings, settings.oidc_issuer, settings.oidc_audience)]
    return [*found, _unheard(f"{_NOT_FOLLOWED} It did not say all that is needed within {SECONDS:g} s.")]


def _files(settings: Settings) -> Iterator[Check]:
    """Look at the callers' file and at that of their keys."""
    if (path := settings.http_tokens_file) is not None:
        try:
            rows = read_callers(path)
        except CallersError as error:
            yield _wrong(error, path)
        else:
            mend = "" if rows else "Let one in: barrack-mcp callers add NAME."
            told = f"{counted(len(rows), 'row')} in BARRACK_HTTP_TOKENS_FILE."
            yield Check(_CALLERS, Verdict.OK if rows else Verdict.WARNING, told, mend)
    if (path := settings.keys_file) is not None:
        try:
            keys = read_keys(path)
        except CallersError as error:
            yield _wrong(error, path)
        else:
            yield Check(_CALLERS, Verdict.OK, f"{counted(len(keys), 'API key')} of callers in BARRACK_KEYS_FILE.")


def _wrong(error: CallersError, path: Path) -> Check:
    # a report may be shown to others, who needn't know where this is kept
    told = " ".join(str(error).splitlines()).replace(str(path), path.name)
    return Check(_CALLERS, Verdict.FAILS, told, "Until then nobody can call.", ExitCode.USAGE)


async def _provider(settings: Settings, name: str, audience: str) -> Check:
    """Ask the identity provider what it says of itself, and look whether its keys can check a token."""
    from barrack_mcp.transports.login.issuer import KINDS, Issuer  # noqa: PLC0415 - what checks signatures is no small thing

    try:
        provider, algorithms = await Issuer(name, audience=audience, network=settings.network).look()
    except FetchError as error:
        if not error.reached:
            return _unheard(f"{_NOT_FOLLOWED} {error}")
        mend = f"Is BARRACK_OIDC_ISSUER its name, whole and letter for letter? {_NOBODY}"
        return Check(_PROVIDER, Verdict.FAILS, f"{_NOT_FOLLOWED} {error}", mend, ExitCode.USAGE)
    except ValueError as error:
        return Check(_PROVIDER, Verdict.FAILS, f"{_NOT_FOLLOWED} {error}", _NOBODY, ExitCode.USAGE)
    if not algorithms:
        told = f"{_NOT_FOLLOWED} None of its keys checks a token of an algorithm that is read: {', '.join(KINDS)}."
        return Check(_PROVIDER, Verdict.FAILS, told, f"Let it sign with one of these. {_NOBODY}", ExitCode.USAGE)
    told = (
        "It answers, names itself as BARRACK_OIDC_ISSUER does, and has keys that check tokens signed with "
        f"{', '.join(each for each in KINDS if each in algorithms)}."
    )
    if settings.oidc_client_id is not None and (provider.authorization is None or provider.token is None):
        told += " It doesn't say where people sign in, so that nobody can to the approval page."
        return Check(_PROVIDER, Verdict.WARNING, told, "Let it tell its authorization_endpoint and token_endpoint.")
    return Check(_PROVIDER, Verdict.OK, told)


def _unheard(told: str) -> Check:
    mend = f"Can this machine reach BARRACK_OIDC_ISSUER, and is that right? {_NOBODY}"
    return Check(_PROVIDER, Verdict.FAILS, told, mend, ExitCode.UNREACHABLE)
