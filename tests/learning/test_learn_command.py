"""`contract learn`: what it reads, what it shows and writes, how it ends; and what works by what it wrote."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from barrack_mcp.api.wire.form import Contract, Mark
from barrack_mcp.api.wire.loading import load
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS
from barrack_mcp.cli.contract.command import app as command
from barrack_mcp.cli.contract.learn import learn
from barrack_mcp.config import Settings, read_settings
from tests.contracts.other import ALIKE, ALIKE_VALUES
from tests.contracts.test_bounds import kept_within_bounds
from tests.contracts.test_second_barrack import works
from tests.learning.apidog import SITE, Site, endpoints, make_odd
from tests.learning.made import said, takes
from tests.learning.scripted_api import JSON, KEY, Asked, Says, Scripted
from tests.support.running import listening

pytestmark = pytest.mark.anyio

TODAY = date(2026, 11, 27)
NOBODY = "http://127.0.0.1:9/api"
SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass
class Places:
    """A documentation site and an API, each at its address."""

    docs: str
    api: str
    site: Site
    scripted: Scripted

    @property
    def methods(self) -> list[str]:
        return [*(method for method, _, _ in self.site.asked), *(each.method for each in self.scripted.asked)]


@asynccontextmanager
async def places(site: Site, answers: Any = None) -> AsyncIterator[Places]:
    scripted = Scripted(answers or {})
    apps: tuple[Any, Any] = site, scripted
    async with listening(apps[0]) as docs, listening(apps[1]) as api:
        site.answers["/llms.txt"].body = site.answers["/llms.txt"].body.replace(SITE.encode(), docs.encode())
        yield Places(docs, f"{api}/api", site, scripted)


def settings_in(folder: Path, url: str = NOBODY, *, key: str | None = None, **more: str) -> Settings:
    said = {"BARRACK_API_URL": url, "BARRACK_STATE": str(folder / "state.db"), **more}
    return read_settings(said | ({"BARRACK_API_KEY": key} if key is not None else {}))


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.promise("L2")
async def test_by_the_documentation_alone_and_without_a_key_every_operation_of_the_second_barrack_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "learned.toml"
    async with places(Site(make_odd(endpoints()))) as there:
        assert await learn(settings_in(tmp_path), docs=there.docs, out=out, today=TODAY) == 0
        told = capsys.readouterr()
        assert set(there.methods) == {"GET"}
        assert len(there.methods) <= 200
        assert not there.scripted.asked
        settings = settings_in(tmp_path, BARRACK_CONTRACT=str(out))
        assert await learn(settings, docs=there.docs, today=date(2027, 1, 1)) == 1
        assert "Nothing new" in capsys.readouterr().out
    assert told.err == "barrack-mcp: No API key is set, so the documentation alone is read.\n"
    assert f"{len(OPERATIONS)} of our {len(OPERATIONS)} operations were found" in told.out
    assert f"Written to {out}. It does not count yet" in told.out.replace("\n", " ")
    assert max(map(len, told.out.splitlines())) <= max(
        80, len(f"Written to {out}. It does not count yet: look through it, then set BARRACK_CONTRACT to it.")
    )
    contract = Contract(load(out.read_bytes(), "learned"))
    assert contract.overrides.api.url is None
    assert {contract.for_(operation).marks[0] for operation in OPERATIONS} == {Mark.DOCUMENTED}
    kept_within_bounds(contract)
    for operation in OPERATIONS:
        await works(contract, operation, ALIKE, ALIKE_VALUES)
    text = out.read_text(encoding="utf-8")
    assert text.count(", 2026-11-27") >= 2 * len(OPERATIONS)
    assert "# url" not in text
    assert "https://other.example/api" in text.partition("Refused")[2]


async def test_what_it_would_write_is_shown_and_nothing_is_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.toml"
    async with places(Site(endpoints()[:3])) as there:
        settings = settings_in(tmp_path)
        assert await learn(settings, docs=there.docs, today=TODAY) == 0
        shown = capsys.readouterr().out
        before = len(there.site.asked)
        out.write_text("# by hand\n", encoding="utf-8")
        assert await learn(settings, docs=there.docs, out=out) == 2
        assert len(there.site.asked) == before
        assert out.read_text(encoding="utf-8") == "# by hand\n"
        assert "is there already" in capsys.readouterr().err
        assert await learn(settings, docs=there.docs, out=tmp_path / "no" / "folder") == 2
        assert "can't be written" in capsys.readouterr().err
        assert await learn(settings, docs=there.docs, json_wanted=True, today=TODAY) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["contract"] in shown
    assert told["news"]
    assert [each["tool"] for each in told["operations"]] == list(load(told["contract"].encode(), "x").operations)
    assert len(told["inferred"]) == len(OPERATIONS) - 3
    assert {(each["source"], each["day"]) for each in told["operations"]} == {("documentation", "2026-11-27")}


async def test_a_key_that_is_refused_and_a_network_that_is_not_there_have_numbers_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = Says({"detail": "Invalid key."}, 401, JSON)
    async with places(Site([]), lambda _: refused) as there:
        settings = settings_in(tmp_path, there.api, key=KEY)
        assert await learn(settings, docs=None) == 3
        told = capsys.readouterr()
        assert "key" in told.err
        assert KEY not in told.err + told.out
        assert set(there.methods) <= SAFE
    assert await learn(settings_in(tmp_path, key=KEY), docs="http://127.0.0.1:9") == 4
    assert "Nothing was learned." in capsys.readouterr().out
    assert await learn(settings_in(tmp_path), docs=None) == 3


async def test_what_the_documentation_tells_counts_although_the_api_refuses_the_key(tmp_path: Path) -> None:
    async with places(Site(endpoints()[:5]), lambda _: Says({"detail": "No."}, 401, JSON)) as there:
        assert await learn(settings_in(tmp_path, there.api, key=KEY), docs=there.docs) == 0


@pytest.mark.parametrize("docs", ["nonsense", "http://docs.example", "https://user:pass@docs.example"])
async def test_a_documentation_site_that_is_no_address_is_a_mistake_of_usage(
    docs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await learn(settings_in(tmp_path), docs=docs) == 2
    assert "--docs must" in capsys.readouterr().err


def test_nothing_to_learn_from_is_a_mistake_of_usage() -> None:
    result = CliRunner().invoke(command, ["learn", "--no-docs", "--no-api"])
    assert result.exit_code == 2
    assert "leave nothing to learn from" in result.stderr


def contradicting(asked: Asked) -> Says | None:
    """An API that says of every operation that it is another, and of every address that it takes everything."""
    if asked.method == "OPTIONS":
        fields = {"name": {"type": "string", "required": True}, "script": {"type": "string", "required": True}}
        allow = "GET, POST, PUT, PATCH, DELETE, OPTIONS" if "no-such" not in asked.address else "OPTIONS"
        told = {"name": "It", "renders": [], "parses": [], "actions": {"POST": fields, "PUT": fields}}
        return Says(told, 200, {**JSON, "Allow": allow})
    if asked.address == "/api/":
        return Says(
            {"volumes": "/api/snapshots/", "instances": f"http://{asked.host}/api/instances/deploy/"}, 200, JSON
        )
    if asked.address != "/api/schema/":
        return None
    tools = list(BY_TOOL)
    paths: dict[str, Any] = {}
    for tool, other in zip(tools, tools[7:] + tools[:7], strict=True):
        method, path, described = said(
            tool, BY_TOOL[other].method, BY_TOOL[other].path, **takes("script", script="string")
        )
        paths.setdefault(f"/api{path}", {})[method.lower()] = described
    servers = [{"url": "https://evil.example"}]
    scheme = {"key": {"type": "apiKey", "in": "header", "name": "Host"}}
    document = {"openapi": "3.0.3", "paths": paths, "servers": servers, "components": {"securitySchemes": scheme}}
    return Says(document, 200, JSON)


@pytest.mark.promise("L1")
@pytest.mark.promise("L2")
async def test_with_all_sources_against_each_other_nothing_dangerous_is_learned_and_each_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = endpoints()[::2]
    for page, other in zip(pages, pages[5:] + pages[:5], strict=True):
        ((path, item),) = other.document["paths"].items()
        page.document["paths"] = {path: {next(iter(item)): page.operation}}
        page.document["servers"] = [{"url": "https://evil.example"}]
    async with places(Site(pages), contradicting) as there:
        code = await learn(settings_in(tmp_path, there.api, key=KEY), docs=there.docs, json_wanted=True)
        assert code in (0, 1)
        assert set(there.methods) <= SAFE
        assert len(there.methods) <= 200
        assert {each.host for each in there.scripted.asked} == {there.api.partition("//")[2].partition("/")[0]}
        assert not any(KEY in str(headers) for _, _, headers in there.site.asked)
    told = json.loads(capsys.readouterr().out)
    contract = Contract(load(told["contract"].encode(), "learned"))
    assert not contract.refused
    kept_within_bounds(contract)
    assert contract.overrides.api.url is None
    assert (contract.overrides.api.auth_header or "").casefold() != "host"
    named = {each["tool"] for each in (*told["refused"], *told["disagreements"], *told["unsure"])}
    shipped = {operation.tool for operation in OPERATIONS if contract.for_(operation).guessed}
    assert named - {None}
    assert not {each["tool"] for each in told["operations"]} & shipped
    assert KEY not in json.dumps(told)
