"""What a team's server needs beside the API: the callers' files, the identity provider, the Redis that is shared."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from barrack_mcp.cli.doctor import Check, Verdict
from barrack_mcp.cli.doctor.callers import look_for_callers
from barrack_mcp.cli.doctor.shared import look_at_shared
from barrack_mcp.cli.doctor.show import as_text
from tests.doctor.asking import CANARY, check, examined, settings
from tests.doctor.servers import Answer, http, page, serving, told
from tests.support.callers import Desk
from tests.support.issuer import AUDIENCE, Issuer, private_key, public
from tests.support.listening import listening
from tests.support.redis import RedisServer, need_redis

pytestmark = pytest.mark.anyio

GONE = "http://127.0.0.1:9"


async def provider(folder: Path, issuer: str, **more: str) -> Check:
    (found,) = await look_for_callers(settings(folder, oidc_issuer=issuer, oidc_audience=AUDIENCE, **more))
    assert found.name == "identity provider"
    return found


async def test_an_identity_provider_that_answers_is_told_with_what_its_keys_can_check(tmp_path: Path) -> None:
    issuer = Issuer("ES256")
    async with listening(issuer.app) as issuer.url:
        found = await provider(tmp_path, f"{issuer.url}/")
    assert (found.verdict, found.mend) == (Verdict.OK, "")
    assert found.sentence.endswith("tokens signed with ES256.")
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


def about(**says: Any) -> Answer:
    """A provider that says of itself what a test wants, at whatever address it has."""

    def answer(request: bytes) -> bytes:
        url = "http://" + request.split(b"Host: ")[-1].split(b"\r\n")[0].decode()
        if request.startswith(b"GET /keys"):
            return told(says.get("keys", {"keys": []}))
        return told({"issuer": url, "jwks_uri": f"{url}/keys"} | says)

    return answer


WEAK = {"kty": "RSA", "n": "AQAB", "e": "AQAB"}
SECRET = {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (lambda _: http("404 Not Found"), 2, "answered 404"),
        (lambda _: http("302 Found", Location="/elsewhere"), 2, "leads elsewhere"),
        (lambda _: page(), 2, "no JSON"),
        (about(issuer="https://another.example"), 2, "about another issuer"),
        (about(jwks_uri=None), 2, "jwks_uri"),
        (about(keys=[]), 2, "no list of keys"),
        (about(), 2, "None of its keys checks a token"),
        (about(keys={"keys": [SECRET, WEAK]}), 2, "None of its keys checks a token"),
    ],
)
async def test_an_identity_provider_that_cant_be_followed_is_told_with_what_is_wrong(
    tmp_path: Path, answer: Answer, code: int, said: str
) -> None:
    async with serving(answer) as (url, _):
        found = await provider(tmp_path, url)
    assert (found.verdict, found.code) == (Verdict.FAILS, code)
    assert found.sentence.startswith("The identity provider can't be followed. ")
    assert said in found.sentence
    assert "nobody who comes with its tokens is let in" in found.mend


async def test_an_identity_provider_that_isnt_there_is_unreachable_and_one_half_set_is_told(tmp_path: Path) -> None:
    found = await provider(tmp_path, GONE)
    assert (found.verdict, found.code) == (Verdict.FAILS, 4)
    (found,) = await look_for_callers(settings(tmp_path, oidc_issuer=GONE))
    assert "BARRACK_OIDC_AUDIENCE" in found.mend


async def test_a_provider_without_a_place_to_sign_in_is_a_warning_where_people_are_to(tmp_path: Path) -> None:
    key = public("k", "ES256", private_key("ES256"))
    beside = {"public_url": "https://bot.example.com", "oidc_client_id": "page"}
    async with serving(about(keys={"keys": [key]})) as (url, _):
        assert (await provider(tmp_path, url)).verdict is Verdict.OK
        found = await provider(tmp_path, url, **beside)
    assert (found.verdict, "authorization_endpoint" in found.mend) == (Verdict.WARNING, True)


async def test_the_files_of_callers_are_looked_at_and_what_is_wrong_in_them_is_told(tmp_path: Path) -> None:
    desk, keys = Desk(tmp_path / "callers.toml"), tmp_path / "keys.toml"
    desk.let_in("ada")
    keys.write_text(f'ada = "{CANARY}"\n')
    keys.chmod(0o600)
    chosen = settings(tmp_path, http_tokens_file=str(desk.path), keys_file=str(keys))
    rows, known = await look_for_callers(chosen)
    assert (rows.sentence, known.sentence) == (
        "1 row in BARRACK_HTTP_TOKENS_FILE.",
        "1 API key of callers in BARRACK_KEYS_FILE.",
    )
    desk.let_in("bob", 'risks = ["everything"]')
    keys.write_text(f'ada = "{CANARY}\n')
    rows, known = await look_for_callers(chosen)
    assert [each.verdict for each in (rows, known)] == [Verdict.FAILS] * 2
    assert "bob risks" in rows.sentence
    assert not [each for each in (rows, known) if CANARY in each.sentence or str(tmp_path) in each.sentence]


AS_IT_SHOULD_BE = {
    "redis_version": "7.2.4", "role": "master", "connected_slaves": "0", "master_replid2": "0" * 40, "maxmemory": "0",
    "maxmemory_policy": "noeviction", "used_memory": "1000", "aof_enabled": "1", "aof_last_write_status": "ok",
}  # fmt: skip


@asynccontextmanager
async def redis(appendfsync: str | None = "always", **says: str) -> AsyncIterator[tuple[str, list[str]]]:
    """What speaks as a Redis does and says of itself what a test wants; gives its address and what it was asked."""
    heard: list[str] = []
    info = "\r\n".join(f"{name}:{value}" for name, value in (AS_IT_SHOULD_BE | says).items())

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while count := (await reader.readline()).strip():
                words = []
                for _ in range(int(count[1:])):
                    length = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(length + 2))[:-2].decode())
                heard.append(words[0])
                writer.write(answer(words))
                await writer.drain()
        except (OSError, EOFError):
            return
        finally:
            writer.close()

    def answer(words: list[str]) -> bytes:
        match words[0]:
            case "INFO":
                return f"${len(info)}\r\n{info}\r\n".encode()
            case "CONFIG" if appendfsync is not None:
                return f"*2\r\n$11\r\nappendfsync\r\n${len(appendfsync)}\r\n{appendfsync}\r\n".encode()
            case "CONFIG":
                return b"-NOPERM this user has no permissions to run the 'config|get' command\r\n"
            case _:
                return b"+OK\r\n"

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    async with server:
        yield f"redis://:{CANARY}@127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


async def shared(folder: Path, url: str) -> Check:
    (found,) = await look_at_shared(settings(folder, state=url, state_keys="k" * 40))
    assert CANARY not in repr(found)
    return found


@pytest.mark.parametrize(
    ("says", "verdict", "said"),
    [
        ({}, Verdict.OK, "is version 7.2.4, and keeps what it holds through a new start"),
        ({"appendfsync": "everysec"}, Verdict.OK, "With appendfsync always and no replica"),
        ({"connected_slaves": "1"}, Verdict.OK, "but for perhaps the last second"),
        ({"appendfsync": None}, Verdict.OK, "may not ask for appendfsync"),
        ({"maxmemory": "5000", "maxmemory_policy": "volatile-lru"}, Verdict.OK, "through a new start"),
        ({"aof_enabled": "0"}, Verdict.WARNING, "loses leases, budgets and every yes"),
        ({"maxmemory": "1050"}, Verdict.WARNING, "nearly full (95% of its maxmemory)"),
        ({"aof_last_write_status": "err"}, Verdict.FAILS, "can't write to its disk"),
        ({"redis_version": "5.0.14"}, Verdict.FAILS, "version 5.0.14"),
        ({"role": "slave"}, Verdict.FAILS, "is a replica"),
        ({"maxmemory": "5000", "maxmemory_policy": "allkeys-lru"}, Verdict.FAILS, "may throw away"),
    ],
)
async def test_a_shared_state_is_told_by_how_well_its_redis_keeps_it(
    tmp_path: Path, says: dict[str, Any], verdict: Verdict, said: str
) -> None:
    async with redis(**says) as (url, heard):
        found = await shared(tmp_path, url)
    assert (found.verdict, said in found.sentence) == (verdict, True), found
    assert set(heard) <= {"AUTH", "CLIENT", "INFO", "CONFIG"}


async def test_a_redis_that_isnt_there_is_told_once_and_the_report_holds_no_password(tmp_path: Path) -> None:
    chosen = settings(tmp_path, simulator="1", state=f"redis://:{CANARY}@127.0.0.1:9", state_keys="k" * 40)
    report = await examined(chosen)
    assert report.exit_code == 4
    assert check(report, "ledger").verdict is Verdict.UNTRIED
    checks = json.loads(as_text(report))["checks"]
    assert [each["verdict"] for each in checks if each["name"] == "shared state"] == ["fails"]
    assert "BARRACK_STATE" in check(report, "shared state").sentence


async def test_without_a_team_nothing_is_said_of_one(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    assert [*await look_at_shared(chosen), *await look_for_callers(chosen)] == []


@pytest.mark.slow
async def test_a_real_redis_is_looked_at_and_nothing_is_written_there(tmp_path: Path) -> None:
    need_redis()
    with RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        found = await shared(tmp_path, server.url)
        assert (found.verdict, "through a new start of it" in found.sentence) == (Verdict.OK, True)
        assert server.says("DBSIZE") == "0"
