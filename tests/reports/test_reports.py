"""What people reported in public of servers like this one, each tried on the whole product against a small API.

The sweeps of each kind stand with what they try; here is one case of each report, from a real process to its effect.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.types import ElicitRequestParams, ElicitResult

from tests.doctor.servers import http, page, serving, told
from tests.settings.test_networks import LIST, said
from tests.support.patience import PATIENT_S
from tests.support.running import environment, product

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KEY = "canary-5b1f90"
SPEND = {"BARRACK_UNATTENDED": "spend", "BARRACK_TIMEOUT": "4"}
BOX = {
    "name": "box", "tier": "legacy", "region": "NORWAY-1", "gpu_model": "RTX-A6000", "gpu_count": 1,
    "boot_source": "os_image", "os_image": "Ubuntu Server 22.04 LTS", "ssh_key_ids": ["KEY-1"],
}  # fmt: skip
PRICE = dict.fromkeys(("USD", "EUR", "INR"), 0.69)
PRICING = {"gpus": {"pricing": {"legacy": {"RTX-A6000": {"prices": PRICE, "max_count": 4}}, "advanced": {}}}}


def machine(number: int, name: str, **more: Any) -> dict[str, Any]:
    return {
        "instance_id": f"BRK-{100_000 + number}D", "vm_name": name, "status": "ACTIVE", "gpu_type": "RTX-A6000",
        "gpu_count": 1, "region": "NORWAY-1", "tier": "legacy", "volume_attachments": [], "security_rules": [], **more,
    }  # fmt: skip


@dataclass
class Api:
    """A small Barrack: what it lists, what it answers otherwise, and which writes came in.

    Attributes:
        machines: What it lists as instances.
        others: Whole answers by method and path; None breaks the connection off.
        writes: Each write that came in.
    """

    machines: list[Any] = field(default_factory=list)
    others: Mapping[str, bytes | None] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)

    def answer(self, request: bytes) -> bytes:
        """Answer one request."""
        method, target, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
        path = target.partition("?")[0].removeprefix("/api")
        if method != "GET":
            self.writes.append(f"{method} {path}")
        if (known := f"{method} {path}") in self.others:
            return self.others[known] or b""
        if path == "/instances/":
            size, number = (wanted(target, name, otherwise) for name, otherwise in (("limit", 20), ("page", 1)))
            first = (number - 1) * size
            return told(
                {"success": True, "instances": self.machines[first : first + size], "total": len(self.machines)}
            )
        if (found := re.fullmatch(r"/instances/(BRK-\d+D)/", path)) is not None:
            row = next((each for each in self.machines if each["instance_id"] == found[1]), None)
            return told({"success": True, "instance": row}) if row else told({"detail": "Not found."}, "404 Not Found")
        lists: dict[str, Any] = {
            "/pricing/": {"pricing_data": PRICING},
            "/balance/": {"balance": {"amount": 250.0, "currency": "USD"}},
            "/ssh-keys/": {"ssh_keys": [{"id": "KEY-1", "name": "laptop"}], "total": 1},
        }
        name = path.strip("/").replace("-", "_")
        return told({"success": True, **lists.get(path, {name: [], "total": 0})})


def wanted(target: str, name: str, otherwise: int) -> int:
    """The number that a query asks for."""
    found = re.search(rf"{name}=(\d+)", target)
    return int(found[1]) if found else otherwise


@asynccontextmanager
async def running(api: Api, **settings: str) -> AsyncIterator[dict[str, str]]:
    """Have the small API answer; gives the settings that lead there."""
    async with serving(api.answer) as (url, _):
        yield {"BARRACK_API_URL": f"{url}/api", "BARRACK_API_KEY": KEY, **settings}


async def called(settings: dict[str, str], tool: str, arguments: dict[str, Any], typed: str = "") -> tuple[str, str]:
    """Call a tool of the product; gives its outcome and what it said."""

    async def person(_: Any, params: ElicitRequestParams) -> ElicitResult:
        asked = getattr(params, "requested_schema", {}).get("properties", {})
        return ElicitResult(action="accept", content={"name": typed} if "name" in asked else {"approve": True})

    with anyio.fail_after(PATIENT_S):
        async with product(settings=environment() | settings, elicitation_callback=person) as client:
            answer = await client.call_tool(tool, arguments)
    words = " ".join(getattr(part, "text", "") for part in answer.content)
    return (answer.structured_content or {}).get("outcome", "read"), words


@pytest.mark.parametrize("globs", ['"prod-*,infer-*"', "'prod-*'"])
async def test_quotes_that_docker_keeps_protect_all_the_same(globs: str) -> None:
    api = Api([machine(1, "prod-db")])
    async with running(api, BARRACK_PROTECT=globs) as settings:
        outcome, _ = await called(settings, "delete_instance", {"instance_id": "BRK-100001D"}, "prod-db")
    assert (outcome, api.writes) == ("refused", [])


@pytest.mark.parametrize("globs", ["${PROTECT}", "${user_config.protect}", "infer-*;prod-*", '["prod-*"]', "a-*\nb-*"])
async def test_a_protection_that_matches_nothing_does_not_start(globs: str) -> None:
    async with running(Api()) as settings:
        code, words = await said(LIST, **settings, BARRACK_PROTECT=globs)
    assert code == 2
    assert "BARRACK_PROTECT" in words


NOES: tuple[dict[str, Any], ...] = (
    {"errors": [{"message": "no instances available"}], "data": {"x": None}},
    {"error": "out of stock"},
    {"success": "false", "message": "out of stock"},
    {"success": 0, "message": "no"},
    {"status": "error", "message": "no capacity"},
    {"ok": False},
)


@pytest.mark.promise("R9")
@pytest.mark.parametrize("no", NOES, ids=json.dumps)
async def test_a_no_inside_a_success_buys_nothing(no: dict[str, Any]) -> None:
    api = Api(others={"POST /scripts/": told(no)})
    async with running(api) as settings:
        outcome, _ = await called(settings, "create_startup_script", {"name": "x", "script": "y"})
    assert outcome == "failed"


async def test_one_state_is_meant_whatever_folder_it_is_started_in(tmp_path: Path) -> None:
    api = Api(others={"POST /scripts/": None})
    call = [sys.executable, "-m", "barrack_mcp", "call", "create_startup_script", "name=x", "script=y"]
    home = tmp_path / "home"
    async with running(api, BARRACK_STATE="~/.b/state.db", HOME=str(home), BARRACK_TIMEOUT="4") as settings:
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            await anyio.run_process(call, env=environment() | settings, cwd=tmp_path / folder, check=False)
            assert [*(tmp_path / folder).iterdir()] == []
    assert len(api.writes) == 1
    assert (home / ".b" / "state.db").exists()


async def test_without_a_state_that_lasts_nothing_is_changed(tmp_path: Path) -> None:
    api = Api()
    (tmp_path / "file").write_text("")
    async with running(api, BARRACK_STATE=str(tmp_path / "file" / "state.db")) as settings:
        outcome, _ = await called(settings, "create_startup_script", {"name": "x", "script": "y"})
        assert (await called(settings, "list_instances", {}))[0] == "read"
    assert (outcome, api.writes) == ("refused", [])


@pytest.mark.parametrize("around", ["{} ", " {}", "{}\n"])
@pytest.mark.parametrize("name", ["BARRACK_API_KEY", "BARRACK_API_URL"])
async def test_blanks_around_key_and_address_hinder_nothing(name: str, around: str) -> None:
    api = Api()
    async with running(api) as settings:
        code, words = await said(LIST, **settings | {name: around.format(settings[name])})
    assert code == 0, words


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Validation error", "errors": {"name": ["is already used"]}},
        {"detail": "Invalid input.", "name": ["is already used"]},
        {"errors": [{"title": "Bad", "detail": "name is already used"}]},
        {"error": "invalid", "error_description": "name is already used"},
    ],
    ids=json.dumps,
)
async def test_every_reason_is_told(body: dict[str, Any]) -> None:
    api = Api(others={"POST /scripts/": told(body, "400 Bad Request")})
    async with running(api) as settings:
        outcome, words = await called(settings, "create_startup_script", {"name": "x", "script": "y"})
    assert outcome == "failed"
    assert "already used" in words


async def test_a_gateways_page_is_no_bad_key() -> None:
    challenge = page("403 Forbidden", Server="cloudflare", cf_ray="x")
    async with running(Api(others={"GET /instances/": challenge})) as settings:
        code, words = await said(LIST, **settings)
    assert code == 4
    assert "API key is right" not in words


@pytest.mark.parametrize("arguments", [{"page": "1", "limit": "5"}, {"page": 1, "limit": 5}])
async def test_numbers_as_text_are_numbers(arguments: dict[str, Any]) -> None:
    async with running(Api([machine(1, "train-a")])) as settings:
        assert (await called(settings, "list_instances", arguments))[0] == "read"


@pytest.mark.parametrize(
    "kind", ["sk-ssh-ed25519@openssh.com ", "sk-ecdsa-sha2-nistp256@openssh.com ", "ssh-ed25519  "]
)
async def test_keys_of_every_kind_are_the_apis_to_judge(kind: str) -> None:
    body = "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAAAABHNzaDo="
    made = told({"success": True, "ssh_key": {"id": "KEY-9", "name": "k"}})
    api = Api(others={"POST /ssh-keys/": made})
    async with running(api) as settings:
        outcome, words = await called(settings, "create_ssh_key", {"name": "k", "public_key": f"{kind}{body} me"})
    assert (outcome, len(api.writes)) == ("done", 1), words


async def test_a_name_in_another_unicode_form_is_the_same_name() -> None:
    name, other = "prod-café", unicodedata.normalize("NFD", "prod-café")
    api = Api([machine(1, other)], others={"DELETE /instances/BRK-100001D/": told({"success": True})})
    async with running(api, BARRACK_PROTECT=name) as settings:
        outcome, _ = await called(settings, "delete_instance", {"instance_id": "BRK-100001D"}, other)
        assert (outcome, api.writes) == ("refused", [])


async def test_a_page_that_is_too_large_is_read_in_smaller_ones() -> None:
    rules = [
        {"id": n, "direction": "ingress", "protocol": "tcp", "port_range_min": n, "status": "x"} for n in range(60)
    ]
    api = Api([machine(n, f"vm-{n}", security_rules=rules) for n in range(1, 181)])
    async with running(api) as settings:
        outcome, words = await called(settings, "get_instance", {"instance_id": "vm-7"})
    assert outcome == "read"
    assert "BRK-100007D" in words


@pytest.mark.promise("R9")
async def test_rows_that_are_not_read_count_against_a_limit() -> None:
    odd = told({"success": True, "instances": [f"BRK-{n}D" for n in range(15)]})
    api = Api(others={"GET /instances/": odd})
    async with running(api, BARRACK_MAX_HOURLY_COST="1", **SPEND) as settings:
        outcome, _ = await called(settings, "deploy_instance", BOX)
        assert "None." not in (await called(settings, "list_instances", {}))[1]
    assert (outcome, api.writes) == ("refused", [])


async def test_an_answer_of_no_bytes_is_an_answer() -> None:
    api = Api(others={"POST /scripts/": http("204 No Content")})
    async with running(api) as settings:
        assert (await called(settings, "create_startup_script", {"name": "x", "script": "y"}))[0] == "done"
