"""Many callers on one server over HTTP: each with their own token, their own tools, and an account of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from typer.testing import CliRunner

from barrack_mcp.catalogue import OFFERS, Risk
from barrack_mcp.cli.operator import callers as command
from barrack_mcp.config import SettingsError, read_settings
from barrack_mcp.config.callers import Callers, CallersError, new_token, read_callers
from barrack_mcp.config.identity import Identity
from barrack_mcp.guard.approvals import Approvals
from barrack_mcp.server.house import open_server
from barrack_mcp.state.store import SqliteStore
from barrack_mcp.transports.login import Gate
from barrack_mcp.transports.login.credentials import Credentials
from barrack_mcp.transports.serve import serve
from barrack_mcp.transports.web import sse_app
from tests.support.callers import Desk, served
from tests.support.house import ERAS
from tests.support.listening import listening

pytestmark = pytest.mark.anyio

each_era = pytest.mark.parametrize("era", ERAS)
DELETE = ("delete_startup_script", {"script_id": "both"})
READER = ('risks = ["read"]', 'toolsets = ["instances", "volumes"]')


def content(result: Any) -> dict[str, Any]:
    return dict(result.structured_content or {})


@pytest.mark.promise("H1")
async def test_without_a_callers_own_token_nothing_is_served_and_the_api_hears_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, {"ada": ()}) as made:
        token = made.desk.tokens["ada"]
        wrong = [
            [],
            [("authorization", "Bearer")],
            [("authorization", token)],
            [("authorization", f"Basic {token}")],
            [("authorization", f"Bearer {token[:-1]}")],
            [("authorization", f"Bearer {token}x")],
            [("authorization", f"Bearer {token.upper()}")],
            [("authorization", f"Bearer {new_token()}")],
            [("authorization", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.")],
            [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {new_token()}")],
            [("authorization", f"Bearer {new_token()}"), ("authorization", f"Bearer {token}")],
            [("x-api-key", token)],
            [("cookie", f"token={token}")],
        ]
        assert [await made.status(headers=headers, json={}) for headers in wrong] == [401] * len(wrong)
        assert await made.status(f"/mcp?access_token={token}", json={}) == 401
        assert await made.status("/nothing", method="GET") == 401
        assert await made.status("/health", method="GET") == 200
        good = [("authorization", f"Bearer {token}")]
        assert await made.status(headers=good, json={}) not in (401, 403)


@pytest.mark.promise("H1")
async def test_who_is_taken_out_of_the_file_can_call_no_more_from_the_next_request_on(tmp_path: Path) -> None:
    async with served(tmp_path, {"ada": (), "eve": ()}) as made, made.client("ada", mode="2026-07-28") as ada:
        assert "balance" in content(await ada.call_tool("get_credit_balance", {}))
        made.desk.put_out("ada")
        assert await made.status(headers=[("authorization", f"Bearer {made.desk.tokens['ada']}")], json={}) == 401
        async with made.client("eve") as eve:
            assert "balance" in content(await eve.call_tool("get_credit_balance", {}))
        # what can't be followed lets nobody in
        made.desk.path.write_text("nonsense", encoding="utf-8")
        assert await made.status(headers=[("authorization", f"Bearer {made.desk.tokens['eve']}")], json={}) == 401


@each_era
async def test_each_caller_sees_and_runs_the_tools_that_are_theirs(tmp_path: Path, era: str) -> None:
    async with (
        served(tmp_path, {"ada": (), "bot": READER}) as made,
        made.client("ada", mode=era) as ada,
        made.client("bot", mode=era) as bot,
    ):
        assert {tool.name for tool in (await ada.list_tools()).tools} == set(OFFERS)
        offered = {tool.name for tool in (await bot.list_tools()).tools}
        assert offered == {
            name for name, each in OFFERS.items() if each.reads and each.toolset in ("instances", "volumes")
        }
        with pytest.raises(Exception, match="Unknown tool"):
            await bot.call_tool("stop_instance", {"instance_id": "train-1"})
        assert [each.name for each in (await bot.list_resources()).resources if each.name == "account"] == []
        assert len((await bot.list_resource_templates()).resource_templates) == 2
        assert len((await bot.list_prompts()).prompts) < len((await ada.list_prompts()).prompts)


@pytest.mark.slow
@pytest.mark.promise("H1")
async def test_over_the_older_transport_a_caller_is_known_by_their_token_too(tmp_path: Path) -> None:
    async with (
        served(tmp_path, {"bot": READER}) as made,
        listening(sse_app(made.house.server, gate=Gate(Credentials(Callers(made.desk.path))))) as url,
    ):
        stream = sse_client(f"{url}/sse", headers={"Authorization": f"Bearer {made.desk.tokens['bot']}"})
        async with Client(stream, mode="legacy") as client:
            assert 0 < len((await client.list_tools()).tools) < len(OFFERS)
        async with httpx2.AsyncClient() as http:
            assert (await http.get(f"{url}/sse")).status_code == 401
            assert (await http.post(f"{url}/messages/?session_id=0", json={})).status_code == 401


@pytest.mark.promise("H2")
@each_era
async def test_each_caller_has_an_account_of_their_own_where_they_have_a_key(tmp_path: Path, era: str) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text('eve = "sim-key-eur"\n', encoding="utf-8")
    keys.chmod(0o600)
    async with served(tmp_path, {"ada": (), "eve": ()}, BARRACK_KEYS_FILE=str(keys)) as made:
        seen = {}
        for name in ("ada", "eve", "ada"):
            async with made.client(name, mode=era) as client:
                seen[name] = content(await client.call_tool("get_credit_balance", {}))["balance"]["currency"]
        assert seen == {"ada": "USD", "eve": "EUR"}


@pytest.mark.promise("H2")
@each_era
async def test_a_request_for_a_yes_is_the_callers_who_made_it_alone(tmp_path: Path, era: str) -> None:
    async with (
        served(tmp_path, {"ada": (), "eve": ()}, BARRACK_APPROVAL="out-of-band") as made,
        made.client("ada", mode=era) as ada,
        made.client("eve", mode=era) as eve,
    ):
        call = ("stop_instance", {"instance_id": "train-1"})
        first, other = [content(await client.call_tool(*call)) for client in (ada, eve)]
        assert first["outcome"] == other["outcome"] == "approval_required"
        assert first["approval"]["id"] != other["approval"]["id"]
        again = content(await ada.call_tool(*call))
        assert again["approval"]["id"] == first["approval"]["id"]


@pytest.mark.slow
@pytest.mark.promise("H2")
async def test_over_500_interleaved_calls_each_caller_sees_and_changes_their_own_account_alone(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text('eve = "sim-key-eur"\n', encoding="utf-8")
    keys.chmod(0o600)
    settings = {"BARRACK_KEYS_FILE": str(keys), "BARRACK_UNATTENDED": "spend", "BARRACK_APPROVAL": "out-of-band"}
    made_by: dict[str, set[str]] = {"ada": set(), "eve": set()}
    both_have: dict[str, str] = {}
    async with served(tmp_path, {"ada": (), "eve": ()}, **settings) as made:

        async def have_both(client: Client, name: str) -> None:
            told = content(await client.call_tool("create_startup_script", {"name": "both", "script": "true"}))
            both_have[name] = told["result"]["script"]["id"]

        async def calls(client: Client, name: str) -> None:
            await have_both(client, name)
            currency = {"ada": "USD", "eve": "EUR"}[name]
            for number in range(250):
                match number % 5:
                    case 0:
                        wanted = {"name": f"{name}-{number}", "script": "true"}
                        assert content(await client.call_tool("create_startup_script", wanted))["outcome"] == "done"
                        made_by[name].add(wanted["name"])
                    case 1:
                        told = content(await client.call_tool("get_credit_balance", {}))
                        assert told["balance"]["currency"] == currency
                    case 2:
                        told = content(await client.call_tool("list_startup_scripts", {"limit": 100}))
                        names = {row["name"] for row in told["scripts"]}
                        assert made_by[name] <= names
                        assert not names & made_by["eve" if name == "ada" else "ada"]
                    case 3:
                        told = content(await client.call_tool("get_startup_script", {"script_id": "both"}))
                        assert told["script"]["id"] == both_have[name]
                    case _:
                        # both ask for the same all the time; one alone ever gets a yes
                        told = content(await client.call_tool(*DELETE))
                        approval = await approvals.find(told["approval"]["id"])
                        assert approval.caller == name
                        if name == "ada":
                            await approvals.approve(approval.id, by="bob on the page", typed="both")
                            assert content(await client.call_tool(*DELETE))["outcome"] == "done"
                            await have_both(client, name)

        async with (
            made.client("ada", mode="legacy") as ada,
            made.client("eve", mode="2026-07-28") as eve,
            SqliteStore(tmp_path / "state.db") as store,
            anyio.create_task_group() as both,
        ):
            approvals = Approvals(store, ttl=600)
            both.start_soon(calls, ada, "ada")
            both.start_soon(calls, eve, "eve")
        assert {each.caller for each in await approvals.pending()} == {"eve"}


@each_era
async def test_a_callers_limit_holds_where_it_is_narrower_than_everybodys_and_never_where_it_is_wider(
    tmp_path: Path, era: str
) -> None:
    callers = {"thrifty": ("max_hourly_cost = 0.005",), "lavish": ("max_hourly_cost = 1000",)}
    volume = {"tier": "legacy", "region": "NORWAY-1", "volume_type": "SSD", "size_gb": 100}
    for most, ends in (("500", ["refused", "done"]), ("0.02", ["refused", "refused"])):
        folder = tmp_path / most
        folder.mkdir()
        settings = {"BARRACK_UNATTENDED": "spend", "BARRACK_MAX_HOURLY_COST": most}
        found = []
        async with served(folder, callers, **settings) as made:
            for name in callers:
                async with made.client(name, mode=era) as client:
                    found.append(content(await client.call_tool("create_volume", {"name": name, **volume}))["outcome"])
        assert found == ends


async def test_what_is_protected_for_one_caller_is_so_for_that_one_alone(tmp_path: Path) -> None:
    callers = {"careful": ('protect = ["train-*"]',), "free": ()}
    async with served(tmp_path, callers, BARRACK_UNATTENDED="interrupt") as made:
        found = []
        for name in callers:
            async with made.client(name) as client:
                found.append(content(await client.call_tool("stop_instance", {"instance_id": "train-1"}))["outcome"])
        assert found == ["refused", "done"]


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "bot.example.com"}, 401),
        ({"host": "BOT.example.com", "origin": "https://bot.example.com"}, 401),
        ({"host": "bot.example.com", "origin": "http://bot.example.com"}, 403),
        ({"host": "bot.example.com", "origin": "https://evil.example"}, 403),
        ({"host": "bot.example.com:8080"}, 421),
        ({"host": "bot.example.com.evil.example"}, 421),
        ({"host": "evil.example"}, 421),
    ],
)
async def test_a_server_is_reached_by_the_names_that_it_has(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    async with served(tmp_path, {"ada": ()}) as made:
        assert await made.status(headers=list(headers.items()), json={}) == status


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['sha256 = "no"'], "ada sha256"),
        (['subject = "auth0|7"'], "ada: wants exactly one of sha256, subject and group"),
        (["", "[eve]", 'risks = ["read"]'], "eve: wants exactly one of sha256, subject and group"),
        (["", "[eve]", 'subject = "ada"'], "eve subject: it is another's name"),
        (["", "[eve]", 'subject = "local:0"'], "eve subject: it is another's name"),
        (["", "[eve]", 'subject = " a"'], "eve subject: must be 1 to 255 visible"),
        (["", "[eve]", 'group = ""'], "eve group: must be 1 to 255 visible"),
        (["", "[eve]", 'group = "ops"', "[bob]", 'group = "ops"'], "two callers have one group"),
        (['risks = ["read", "everything"]'], "ada risks"),
        (['toolsets = ["instance"]'], "ada toolsets: names an unknown toolset; did you mean instances"),
        (["max_hourly_cost = -1"], "ada max_hourly_cost"),
        (['max_monthly_cost = "much"'], "ada max_monthly_cost: must be a number, such as 8."),
        (["budget = 5"], "ada budget: is nothing that a caller has; known: sha256, subject"),
        (['protekt = ["prod-*"]'], r"ada protekt: is nothing that a caller has; did you mean protect\?$"),
        (["Max-Hourly-Cost = 5"], r"did you mean max_hourly_cost\?"),
        (['protect = ["a b"]'], "ada protect"),
        (["nonsense"], "is not TOML"),
    ],
)
def test_each_mistake_in_the_callers_file_is_said_with_its_place(tmp_path: Path, lines: list[str], said: str) -> None:
    desk = Desk(tmp_path / "callers.toml")
    desk.let_in("ada")
    good = desk.path.read_text(encoding="utf-8").splitlines()
    kept = [line for line in good if not lines[0].startswith("sha256") or not line.startswith("sha256")]
    desk.path.write_text("\n".join([*kept, *lines]), encoding="utf-8")
    with pytest.raises(CallersError, match=said):
        read_callers(desk.path)


@pytest.mark.parametrize("name", ["reap", "a b", "local:0", "x" * 65])
def test_a_name_that_another_has_in_the_record_or_that_is_none_lets_nobody_in(tmp_path: Path, name: str) -> None:
    desk = Desk(tmp_path / "callers.toml")
    desk.let_in(name)
    with pytest.raises(CallersError, match=r"nobody's name|a name that is none"):
        read_callers(desk.path)


async def test_a_file_that_cant_be_read_is_told_by_its_setting(tmp_path: Path) -> None:
    given = {"BARRACK_SIMULATOR": "1", "BARRACK_STATE": str(tmp_path / "state.db")}
    given["BARRACK_HTTP_TOKENS_FILE"] = str(tmp_path / "callers.toml")
    with pytest.raises(SettingsError, match=r"^BARRACK_HTTP_TOKENS_FILE: .* can't be read"):
        async with open_server(read_settings(given), remote=True):
            pass
    with pytest.raises(SettingsError, match="BARRACK_PUBLIC_URL must begin with https://: tokens"):
        read_settings({"BARRACK_PUBLIC_URL": "http://127.0.0.1:8765"})


def test_a_callers_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "callers.toml")
    desk.let_in("ada")
    desk.path.chmod(0o644)
    with pytest.raises(CallersError, match="chmod 600"):
        Callers(desk.path)


@pytest.mark.promise("R2")
@pytest.mark.parametrize(
    "given", [{}, {"BARRACK_HTTP_TOKENS_FILE": "x"}, {"BARRACK_PUBLIC_URL": "https://bot.example.com"}]
)
async def test_without_a_login_and_tls_before_it_no_address_of_others_is_listened_on(
    tmp_path: Path, given: dict[str, str]
) -> None:
    if "BARRACK_HTTP_TOKENS_FILE" in given:
        given = {"BARRACK_HTTP_TOKENS_FILE": str(tmp_path / "callers.toml")}
    settings = read_settings({"BARRACK_SIMULATOR": "1", "BARRACK_STATE": str(tmp_path / "state.db"), **given})
    with pytest.raises(SettingsError, match=r"BARRACK_HTTP_TOKENS_FILE.*BARRACK_PUBLIC_URL"):
        await serve(settings, "http", host="0.0.0.0", port=1)


async def test_keys_of_callers_want_callers(tmp_path: Path) -> None:
    keys = {
        "BARRACK_SIMULATOR": "1",
        "BARRACK_STATE": str(tmp_path / "state.db"),
        "BARRACK_KEYS_FILE": str(tmp_path / "k"),
    }
    with pytest.raises(SettingsError, match="BARRACK_HTTP_TOKENS_FILE"):
        async with open_server(read_settings(keys), remote=True):
            pass


def test_the_command_keeps_the_callers_and_shows_a_token_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "team" / "callers.toml"
    monkeypatch.setenv("BARRACK_HTTP_TOKENS_FILE", str(path))
    monkeypatch.setenv("BARRACK_STATE", str(tmp_path / "state.db"))

    def run(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(command.app, words)
        return done.exit_code, done.stdout, done.stderr

    budgets = ("--max-hourly-cost", "4.5", "--max-monthly-cost", "900")
    code, token, said = run("add", "ci-bot", "--risks", "read,change", "--toolsets", "core", *budgets)
    assert (code, "this once" in said) == (0, True)
    assert Callers(path).find(token.strip()) == Identity("ci-bot")
    assert token.strip() not in path.read_text(encoding="utf-8")
    assert path.stat().st_mode & 0o777 == 0o600
    row = read_callers(path)["ci-bot"]
    assert row.risks == frozenset({Risk.READ, Risk.CHANGE})
    assert (row.toolsets, str(row.max_hourly_cost)) == (("core",), "4.5")
    assert json.loads(run("list", "--json")[1])[0]["max_monthly_cost"] == str(row.max_monthly_cost) == "900.0"
    # what a person wrote into it stays
    path.write_text(f"# of the night shift\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    assert run("add", "ada", "--approver")[0] == 0
    assert path.read_text(encoding="utf-8").startswith("# of the night shift\n")
    assert [row["caller"] for row in json.loads(run("list", "--json")[1])] == ["ci-bot", "ada"]
    assert "night" not in run("list")[1]
    assert "ci-bot" in run("list")[1]
    assert run("add", "Grace", "--subject", "auth0|7", "--risks", "read")[0] == 0
    code, said, _ = run("add", "ops", "--group", "gpu ops", "--approver")
    assert (code, "bmcp_" in said, "members of that group" in said) == (0, False, True)
    assert read_callers(path)["Grace"].subject == "auth0|7"
    known = [row["known_by"] for row in json.loads(run("list", "--json")[1])]
    assert known == ["token", "token", "subject «auth0|7»", "group «gpu ops»"]
    for words in (("add", "ada"), ("add", "a b"), ("add", "x", "--risks", "all"), ("add", "x", "--toolsets", "none"),
                  ("add", "x", "--subject", "a", "--group", "b"), ("add", "x", "--group", "gpu ops"),
                  ("add", "x", "--subject", "ada"), ("add", "x", "--subject", "reap"),
                  ("remove", "nobody"), ("add", "x", "--max-hourly-cost", "-1")):  # fmt: skip
        before = path.read_bytes()
        assert run(*words)[0] == 2
        assert path.read_bytes() == before
    assert run("remove", "ci-bot")[0] == 0
    assert Callers(path).find(token.strip()) is None
