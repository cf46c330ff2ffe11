"""What was learned can be given to this project: without anything of an account, to become what is shipped."""

from __future__ import annotations

import importlib.util
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from barrack_mcp.api.learning.contract.bundle import BundleError, as_module, bundle, unbundle
from barrack_mcp.api.learning.contract.merging import Learned, merge
from barrack_mcp.api.learning.found import Found, Source
from barrack_mcp.api.openapi.document import read
from barrack_mcp.api.wire import learned
from barrack_mcp.api.wire.form import Contract, Mark
from barrack_mcp.api.wire.loading import from_table
from barrack_mcp.api.wire.overrides import OperationOverride, Overrides
from barrack_mcp.api.wire.shipped import laid_over
from barrack_mcp.catalogue import BY_TOOL, OPERATIONS
from barrack_mcp.config import read_settings
from barrack_mcp.server.contract import learnable, mention
from tests.contracts import dialect
from tests.contracts.other import ALIKE, ALIKE_VALUES
from tests.contracts.test_bounds import kept_within_bounds
from tests.contracts.test_second_barrack import works
from tests.learning.made import BASE, DAY, PLACES, answers, found, from_pages, said, takes

SOMEBODYS = {
    "id": "7f3c9f1e-2b4d-4e6f-8a1b-0c2d3e4f5a6b",
    "number": "90210077",
    "mail": "ann.other@example.org",
    "name": "anns-payroll-db",
    "token": "bk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "ip": "203.0.113.77",
    "hash": "deadbeefcafe0123456789",
}


def everything_of_somebodys() -> Learned:
    """Sources that hold what is an account's wherever a document can hold anything."""
    of = SOMEBODYS
    telling: dict[str, Any] = {
        "type": "string",
        "description": f"Such as {of['name']} of {of['mail']}",
        "example": of["id"],
        "default": of["name"],
    }
    listed = {"type": "string", "enum": [of["name"], of["number"], of["id"]]}
    site = found(
        Source.SITE,
        said("create_volume", path="/disks/", **takes("label", label=telling, region=listed, **{of["mail"]: telling})),
        said("get_volume", path=f"/accounts/{of['number']}/disks/{{id}}/"),
        url=BASE,
        notes=(f"{of['mail']} wrote this page",),
    )
    address = found(
        Source.ADDRESS,
        said("list_volumes", path="/disks/", summary=f"Disks of {of['mail']}"),
        said(
            "update_startup_script",
            path="/recipes/{id}/",
            **takes("kind", "team", name="string", kind={"enum": [of["name"]]}, team={"enum": [of["name"], of["ip"]]}),
            **answers(script={"type": "object", "properties": {of["hash"]: telling, of["token"]: telling}}),
        ),
    )
    pages = {"create_volume": f"https://docs.barrack.ai/{of['number']}/create-volume-27694001e0.md"}
    return merge([from_pages(site, pages), address], base=BASE)


def test_a_bundle_holds_nothing_that_may_be_somebodys() -> None:
    text = bundle(everything_of_somebodys())
    assert {name for name, value in SOMEBODYS.items() if value in text} == set()
    made = json.loads(text)
    assert set(made["operations"]) == {"create_volume", "list_volumes", "update_startup_script"}
    assert made["contract"]["operations"]["create_volume"]["path"] == "/disks/"
    assert set(made["operations"]["create_volume"]["takes"]["fields"]) == {"label", "region"}
    assert "description" not in text
    assert "default" not in text
    assert "Disks of" not in text


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:8900/api",
        "https://10.1.2.3/api",
        "https://barrack.corp/api",
        "https://intranet/api",
        "https://ann.other@docs.example/x",
    ],
)
def test_a_bundle_names_no_address_that_is_not_everybodys(place: str) -> None:
    source = Found(Source.SITE, place, DAY, found(Source.SITE, said("list_volumes", path="/disks/")).document)
    text = bundle(merge([source], base=BASE))
    assert place.partition("//")[2].partition("/")[0] not in text
    assert "an address of its own" in text


def whole() -> Learned:
    raw = dialect.written()
    raw["servers"] = [{"url": BASE}]
    return merge([Found(Source.SITE, PLACES[Source.SITE], DAY, read(json.dumps(raw).encode(), "d"))], base=BASE)


@pytest.mark.anyio
async def test_a_bundle_becomes_the_contract_that_is_shipped(tmp_path: Path) -> None:
    said = unbundle(bundle(whole()).encode())
    module = tmp_path / "learned.py"
    module.write_text(as_module(said, Path(learned.__file__).read_text(encoding="utf-8")), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("learned_anew", module)
    assert spec is not None
    assert spec.loader is not None
    anew = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(anew)
    shipped, mistakes = from_table(anew.CONTRACT)
    assert (shipped, mistakes) == (said, [])
    contract = Contract(shipped)
    kept_within_bounds(contract)
    for operation in OPERATIONS:
        wire = contract.for_(operation)
        assert (wire.marks[0], wire.guessed) == (Mark.DOCUMENTED, False)
        assert wire.documented == f"documentation, {PLACES[Source.SITE]}, 2026-11-27"
    for tool in ("create_volume", "list_instances", "deploy_instance", "bulk_delete_startup_scripts"):
        await works(contract, BY_TOOL[tool], ALIKE, ALIKE_VALUES)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"[]",
        b"nonsense",
        b'{"format": 2, "contract": {}}',
        b'{"format": 1, "contract": []}',
        json.dumps({"format": 1, "contract": {"operations": {"get_volume": {"path": "/x/{volume_id}/"}}}}).encode(),
        json.dumps(
            {"format": 1, "contract": {"operations": {"get_volume": {"method": "DELETE", "documented": "x"}}}}
        ).encode(),
        json.dumps(
            {"format": 1, "contract": {"operations": {"deploy_instance": {"send": "query", "documented": "x"}}}}
        ).encode(),
        json.dumps({"format": 1, "contract": {"api": {"url": "https://evil.example/api"}}}).encode(),
        json.dumps({"format": 1, "contract": {"api": {"auth_header": "Cookie"}}}).encode(),
        json.dumps(
            {
                "format": 1,
                "contract": {"operations": {"create_volume": {"constants": {"n": 9}, "documented": "x"}}},
            }
        ).encode(),
        b"[" * 200_000,
    ],
)
def test_what_is_no_bundle_or_leads_out_of_bounds_is_not_shipped(wrong: bytes) -> None:
    with pytest.raises(BundleError):
        unbundle(wrong)


def test_what_a_file_documents_hides_all_that_is_shipped_of_the_operation_and_what_it_only_changes_does_not() -> None:
    under = Overrides(
        operations={
            "get_volume": OperationOverride(documented="shipped", path="/old/{volume_id}/", result="disk"),
            "list_volumes": OperationOverride(documented="shipped", path="/old/", result="disks"),
        }
    )
    over = Overrides(
        operations={
            "get_volume": OperationOverride(documented="file"),
            "list_volumes": OperationOverride(path="/mine/"),
        }
    )
    laid = laid_over(under, over).operations
    assert laid["get_volume"] == OperationOverride(documented="file")
    assert laid["list_volumes"] == OperationOverride(documented="shipped", path="/mine/", result="disks")


def test_that_a_newer_contract_can_be_learned_is_said_once_where_there_are_guesses_or_old_facts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = read_settings({"BARRACK_STATE": str(tmp_path / "state.db")})
    assert "paths are guesses of ours: barrack-mcp contract learn" in learnable(settings, Contract(), DAY)
    for _ in range(3):
        mention(settings, Contract(), DAY)
    assert len(caplog.messages) == 1
    known = Contract(unbundle(bundle(whole()).encode()))
    assert learnable(settings, known, DAY) == ""
    assert "was learned on 2026-11-27" in learnable(settings, known, date(2027, 3, 1))
    mention(settings, known, date(2027, 3, 1))
    mention(settings, known, date(2027, 3, 2))
    assert len(caplog.messages) == 2
    simulated = read_settings({"BARRACK_STATE": str(tmp_path / "s.db"), "BARRACK_SIMULATOR": "1"})
    assert learnable(simulated, Contract(), DAY) == ""
