"""The corridor: what is asked, refused, sent, explained and added."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import httpx2
import pytest

from barrack_mcp.catalogue import OPERATIONS, Operation, Risk
from barrack_mcp.dispatch.answers.outcomes import Answer
from barrack_mcp.dispatch.dispatcher import UnknownToolError
from barrack_mcp.dispatch.writes.keyfile import KeyFolder
from barrack_mcp.simulator import create_app
from tests.support import examples
from tests.support.answers import Answers, Behaviour, dispatcher, in_turn, json
from tests.support.pairs import pairs

pytestmark = pytest.mark.anyio

ASKING = [operation for operation in OPERATIONS if operation.risk not in (Risk.READ, Risk.CHANGE)]
WRITES = [operation for operation in OPERATIONS if not operation.reads]
STATE: Any = create_app(now=lambda: 0.0).state.barrack.state()
IMAGE = {"has_image": True, "image": {"image_id": "BRK-7I", "name": "base"}}


def tool(operation: Operation) -> str:
    return operation.tool


async def call(answers: Answers, name: str, arguments: dict[str, Any] | None = None, **more: Any) -> Answer:
    answer = await dispatcher(answers, **more).call(name, arguments or {})
    assert isinstance(answer, Answer)
    return answer


def sent(answers: Answers) -> list[tuple[str, str]]:
    return [(request.method, request.url.path.removeprefix("/api")) for request in answers.requests]


async def test_a_tool_that_is_not_offered_is_unknown() -> None:
    answers = Answers()
    with pytest.raises(UnknownToolError):
        await call(answers, "stop_instance", {"instance_id": "BRK-1D"}, surface={})


FAILURES: dict[str, Behaviour] = {"502": json({"detail": "Boom"}, 502), "reset": httpx2.ReadError("reset")}


@pytest.mark.parametrize(
    ("operation", "failure"), pairs(WRITES, FAILURES, ids=lambda part: getattr(part, "tool", part))
)
async def test_a_write_without_an_answer_is_unknown_sent_once_and_says_where_to_look(
    operation: Operation, failure: str, tmp_path: Path
) -> None:
    answers = Answers(FAILURES[failure])
    arguments = examples.good(operation, STATE)
    answer = await call(answers, operation.tool, arguments, key_folder=KeyFolder(tmp_path))
    assert answer.structured["outcome"] == "unknown"
    assert answer.failure == "unknown"
    look = answer.structured["look_with"]
    assert next(other for other in OPERATIONS if other.tool == look["tool"]).reads
    wanted = (operation.method, operation.path.format_map(arguments))
    writes = [request for request in sent(answers) if request == wanted]
    assert len(writes) == 1


async def test_a_read_without_an_answer_has_failed() -> None:
    answer = await call(Answers(json({"detail": "Boom"}, 503)), "list_volumes")
    assert answer.structured == {"outcome": "failed", "message": "Barrack says «Boom» (HTTP 503)."}
    assert (answer.is_error, answer.failure) == (True, "broken")


async def test_insufficient_credits_tell_the_balance() -> None:
    answers = Answers(
        json({"success": False, "message": "Insufficient credits", "request_id": "0a1b2c3d"}, 402),
        balance=json({"success": True, "balance": {"amount": 0.5, "currency": "USD"}}),
    )
    volume = {"name": "v", "size_gb": 100, "region": "R", "tier": "legacy", "volume_type": "SSD"}
    answer = await call(answers, "create_volume", volume)
    assert answer.structured["outcome"] == "failed"
    assert "Barrack says «Insufficient credits» (HTTP 402, request_id 0a1b2c3d)." in answer.text
    assert "The balance is 0.50 USD;" in answer.text
    assert sent(answers) == [("GET", "/volumes/"), ("POST", "/volumes/"), ("GET", "/balance/")]


async def test_a_balance_that_cannot_be_read_does_not_hide_the_refusal() -> None:
    answer = await call(
        Answers(json({"detail": "Insufficient credits"}, 402)),
        "create_snapshot",
        {"instance_id": "BRK-1D", "name": "s"},
    )
    assert answer.text.startswith("Barrack says «Insufficient credits» (HTTP 402).")


async def test_a_second_image_of_a_snapshot_is_stopped_before_it_is_sent_and_names_the_first() -> None:
    answers = Answers(
        json({"detail": "Down"}, 404),
        **{
            "snapshots__BRK-1S": json({"snapshot": {"snapshot_id": "BRK-1S", "name": "nightly", "status": "SUCCESS"}}),
            "snapshots__BRK-1S__image_relationship": json(IMAGE),
        },
    )
    answer = await call(answers, "create_custom_image", {"snapshot_id": "BRK-1S", "name": "again"})
    assert answer.structured["outcome"] == "refused"
    assert "base (BRK-7I)" in answer.text.replace("«", "").replace("»", "")
    assert "BRK-7I" in str(answer.structured["plan"]["target"]["images"])
    assert {method for method, _ in sent(answers)} == {"GET"}


async def test_an_image_that_appears_in_between_is_named_after_the_apis_refusal() -> None:
    nothing = json({"has_image": False, "image": None})
    answers = Answers(
        json({"success": False, "message": "An image already exists for this snapshot"}, 409),
        **{"snapshots__BRK-1S__image_relationship": in_turn(nothing, nothing, json(IMAGE))},
    )
    answer = await call(answers, "create_custom_image", {"snapshot_id": "BRK-1S", "name": "again"})
    assert answer.structured["outcome"] == "failed"
    assert "«base» (BRK-7I)" in answer.text


async def test_a_relationship_that_cannot_be_read_leaves_the_rule_to_the_api() -> None:
    answers = Answers(
        json({"success": True, "image": {"image_id": "BRK-8I"}}),
        **{
            "snapshots__BRK-1S": json({"snapshot": {"snapshot_id": "BRK-1S", "name": "nightly", "status": "SUCCESS"}}),
            "snapshots__BRK-1S__image_relationship": json({"detail": "Not found."}, 404),
        },
    )
    answer = await call(answers, "create_custom_image", {"snapshot_id": "BRK-1S", "name": "again"})
    assert answer.structured["outcome"] == "done"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"detail": "Invalid API key."}, "Check that the API key"),
        (429, {"detail": "Slow down"}, "try again later"),
        (404, {"detail": "Not found."}, "Check instance_id; list_instances shows what exists."),
        (404, {"detail": "Not found."}, "is inferred, not documented"),
        (405, {"detail": "Method not allowed."}, "is inferred, not documented"),
        (400, {"message": "Profile incomplete"}, "Complete the account's profile"),
        (409, {"message": "Wrong state"}, "get_instance shows the present state."),
    ],
)
async def test_the_apis_words_come_with_what_to_do_now(status: int, body: Any, words: str) -> None:
    answer = await call(Answers(json(body, status)), "stop_instance", {"instance_id": "BRK-1D"})
    assert answer.structured["outcome"] == "failed"
    assert words in answer.text


async def test_a_documented_path_is_not_called_a_guess() -> None:
    answer = await call(Answers(json({"detail": "Not found."}, 404)), "get_pricing")
    assert answer.text == "Barrack says «Not found.» (HTTP 404)."


async def test_throttling_tells_the_time_to_wait() -> None:
    answer = await call(Answers(json({"detail": "Slow"}, 429, retry_after="7")), "list_volumes")
    assert "Nothing was changed; try again in 7 s." in answer.text


async def test_each_instance_says_what_it_costs_as_it_stands_and_prices_are_read_once() -> None:
    price = {"gpus": {"pricing": {"legacy": {"L40": {"prices": {"USD": 1.19, "EUR": 1.29}}}}}}
    rows = [
        {"instance_id": "1", "status": "SHUTOFF", "tier": "Legacy", "gpu_type": "L40", "gpu_count": 2},
        {"instance_id": "2", "status": "HIBERNATED", "tier": "legacy", "gpu_type": "L40", "gpu_count": 2},
        {"instance_id": "3", "status": "BUILD", "tier": "legacy", "gpu_type": "L40", "gpu_count": 2},
        {"instance_id": "4", "status": "PONDERING", "tier": "legacy", "gpu_type": "L40", "gpu_count": 2},
        {"instance_id": "5", "status": "ACTIVE", "tier": "legacy", "gpu_type": "unheard", "gpu_count": 1},
    ]
    answers = Answers(instances=json({"instances": rows}), pricing=json({"success": True, "pricing_data": price}))
    house = dispatcher(answers, currency="EUR")
    for _ in range(2):
        answer = await house.call("list_instances", {})
        assert isinstance(answer, Answer)
        shown = answer.structured
        assert [row.get("hourly_rate") for row in shown["instances"]] == [2.58, 0.01, 0.0, None, None]
        assert [row.get("billed_at") for row in shown["instances"]] == [
            "full rate", "hibernated rate", "not billed", None, "full rate",
        ]  # fmt: skip
        assert "full rate" in shown["billing"]
        assert shown["sum"] == {"things": 3, "unpriced": 2, "hourly": 2.59, "monthly": 1890.7, "currency": "EUR"}
        assert answer.text.endswith("2.59 EUR an hour, 1,890.70 EUR a month, and 2 whose price is not known.")
    assert sent(answers).count(("GET", "/pricing/")) == 1


async def test_what_the_api_answers_as_null_is_left_out_at_every_depth() -> None:
    firewall = {"id": "1", "region": None, "environment": {"name": None}, "rules": [{"id": "7", "status": None}]}
    answer = await call(Answers(json({"firewall": firewall, "tier": None})), "get_firewall", {"firewall_id": "FW-1"})
    assert answer.structured == {"firewall": {"id": "1", "environment": {}, "rules": [{"id": "7"}]}}
    script = {"script": {"id": "1", "name": None}, "tier": None}
    done = await call(Answers(json(script)), "update_startup_script", {"script_id": "SCR-1", "name": "a"})
    assert done.structured["result"] == {"script": {"id": "1"}}


async def test_a_price_list_that_cannot_be_read_leaves_the_rates_open() -> None:
    answers = Answers(
        json({"instance": {"instance_id": "1", "status": "ACTIVE", "gpu_count": 1}}),
        pricing=json({"detail": "Boom"}, 500),
    )
    answer = await call(answers, "get_instance", {"instance_id": "BRK-1D"})
    assert "hourly_rate" not in answer.structured["instance"]
    assert answer.structured["billing"].endswith("What this one costs is not known now.")
    assert not answer.is_error


async def test_a_generated_private_key_goes_to_a_file_of_its_owner_and_never_into_the_result(tmp_path: Path) -> None:
    answers = Answers(json({"success": True, "ssh_key": {"id": "KEY-1"}, "private_key": "canary-private"}))
    folder = KeyFolder(tmp_path / "keys")
    for name in ("laptop.pem", "laptop-2.pem"):
        answer = await call(answers, "create_ssh_key", {"name": "laptop"}, key_folder=folder)
        assert "canary-private" not in f"{answer.structured} {answer.text}"
        path = Path(answer.structured["result"]["private_key_file"])
        assert path == tmp_path / "keys" / name
        assert str(path) in answer.structured["message"]
        assert path.read_text() == "canary-private"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_without_a_place_for_a_private_key_none_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (None, KeyFolder(tmp_path / "file" / "keys")):
        answers = Answers(json({}))
        answer = await call(answers, "create_ssh_key", {"name": "laptop"}, key_folder=folder)
        assert answer.structured["outcome"] == "refused"
        assert "public_key" in answer.text
        assert not answers.requests


async def test_a_failed_key_leaves_no_empty_file_behind(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    await call(Answers(json({"detail": "No"}, 400)), "create_ssh_key", {"name": "a"}, key_folder=folder)
    await call(Answers(json({"success": True, "ssh_key": {}})), "create_ssh_key", {"name": "a"}, key_folder=folder)
    assert not list(tmp_path.iterdir())


async def test_a_key_that_was_made_and_can_not_be_kept_is_told_as_made_and_lost(tmp_path: Path) -> None:
    async def made() -> httpx2.Response:
        if (reserved := tmp_path / "laptop.pem").is_file():
            # a folder stands there by now
            reserved.unlink()
            (reserved / "in the way").mkdir(parents=True)
        return json({"success": True, "ssh_key": {"id": "KEY-1"}, "private_key": "canary-private"})

    answer = await call(Answers(made), "create_ssh_key", {"name": "laptop"}, key_folder=KeyFolder(tmp_path))
    assert answer.structured["outcome"] == "done"
    assert "could not be written" in answer.text
    assert "canary-private" not in f"{answer.structured} {answer.text}"
    assert "private_key_file" not in answer.structured["result"]


async def test_an_operator_may_let_a_private_key_stand_in_the_result() -> None:
    answers = Answers(json({"success": True, "private_key": "shown"}))
    answer = await call(answers, "create_ssh_key", {"name": "a"}, reveal_private_keys=True)
    assert answer.structured["result"]["private_key"] == "shown"


def test_a_folder_full_of_keys_of_one_name_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.pem").touch()
    for number in range(2, 1_000):
        (tmp_path / f"a-{number}.pem").touch()
    with pytest.raises(FileExistsError, match="too many"):
        KeyFolder(tmp_path).reserve("a")


async def test_a_bulk_call_that_half_worked_has_failed_and_tells_both_halves() -> None:
    body = {"success": True, "deleted_count": 1, "deleted_ids": ["SCR-1"], "failed": [{"id": "SCR-2"}]}
    arguments = {"script_ids": ["SCR-1", "SCR-2"]}
    answer = await call(Answers(json(body)), "bulk_delete_startup_scripts", arguments)
    assert answer.structured["outcome"] == "failed"
    assert answer.structured["result"]["deleted_ids"] == ["SCR-1"]
    assert answer.structured["result"]["failed"]
    assert "script_ids" in answer.text


async def test_a_filter_that_matches_nothing_says_what_there_is() -> None:

    rows = json({"instances": [{"instance_id": "BRK-1D", "region": "CANADA-1", "status": "ACTIVE"}], "total": 1})
    answers = Answers(instances=in_turn(json({"instances": [], "total": 0}), rows), pricing=json({}))
    answer = await call(answers, "list_instances", {"status": "RUNNING"})
    assert answer.structured["notes"] == ["No row has this status; there are: ACTIVE."]
    assert answer.text.startswith("No row has this status")
    assert sent(answers).count(("GET", "/instances/")) == 2
