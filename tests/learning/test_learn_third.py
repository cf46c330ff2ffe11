"""`contract learn` against a real application of Django REST framework: by the command alone, every operation works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from mcp import Client

from barrack_mcp.api.wire.loading import load
from barrack_mcp.catalogue import BY_TOOL
from barrack_mcp.cli.contract.learn import learn
from barrack_mcp.config import read_settings
from barrack_mcp.server.house import open_server
from tests.learning.test_api_third import TOOLS, arguments, checked
from tests.learning.third.starting import HEADER, KEY, Third, third_barrack
from tests.support.house import Person, says_yes
from tests.support.patience import PATIENT_S

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def third(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Third]:
    with third_barrack(tmp_path_factory.mktemp("third")) as there:
        yield there


A_FEW = ("list_volumes", "get_instance", "create_volume", "resize_volume", "stop_instance", "delete_snapshot")


@pytest.mark.promise("L2")
@pytest.mark.parametrize("schema", [True, False], ids=["from its document", "from its root and addresses"])
async def test_by_the_command_and_a_key_what_an_application_says_of_itself_becomes_a_contract_that_works(
    third: Third, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, schema: bool
) -> None:
    third.renew(schema=schema)
    out, report = tmp_path / "learned.toml", tmp_path / "bundle.json"
    said = {"BARRACK_API_URL": third.url, "BARRACK_API_KEY": KEY, "BARRACK_STATE": str(tmp_path / "state.db")}
    said |= {"BARRACK_AUTH_HEADER": HEADER, "BARRACK_AUTH_TEMPLATE": "{key}"}
    with anyio.fail_after(PATIENT_S):
        assert await learn(read_settings(said), docs=None, out=out, report=report) == 0
        told = capsys.readouterr()
        checked(third)
        assert KEY not in told.out + told.err + out.read_text(encoding="utf-8") + report.read_text(encoding="utf-8")
        assert set(load(out.read_bytes(), "learned").operations) == TOOLS
        # names of things, of their owners and of mail are theirs
        held = json.dumps(json.loads(report.read_text(encoding="utf-8")))
        assert not [one for some in third.told()["things"].values() for one in some if len(one) > 2 and one in held]
        assert "127.0.0.1" not in held
        said["BARRACK_CONTRACT"] = str(out)
        assert await learn(read_settings(said), docs=None) == 1
        async with (
            open_server(read_settings(said)) as product,
            Client(product.server, elicitation_callback=Person(says_yes)) as client,
        ):
            for tool in A_FEW:
                things = third.renew(schema=schema)["things"]
                answer = (await client.call_tool(tool, arguments(tool, things))).structured_content or {}
                assert answer.get("outcome", "done") == "done", (tool, answer)
                assert third.told()["effects"] == ([] if BY_TOOL[tool].reads else [tool])
