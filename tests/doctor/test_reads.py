"""Every read, tried: on the simulator, on a Barrack that speaks otherwise, and on ones that differ a little."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from barrack_mcp.api.wire.form import Contract
from barrack_mcp.api.wire.loading import load
from barrack_mcp.api.wire.overrides import ApiOverride, OperationOverride, Overrides
from barrack_mcp.catalogue import OPERATIONS
from barrack_mcp.cli.doctor import Verdict, examine
from barrack_mcp.simulator import create_app, faults
from tests.contracts import dialect
from tests.contracts.other import ALIKE, ALIKE_VALUES, ENTRIES, PATHS, UNLIKE, UNLIKE_VALUES, Other
from tests.doctor.asking import CANARY, MOST_S, check, examined, read, settings
from tests.doctor.servers import Changed, serving, told
from tests.support.running import KEY, listening

pytestmark = pytest.mark.anyio

BY_HAND = load(dialect.handbook().encode(), "handbook.toml")
READS = {operation.tool for operation in OPERATIONS if operation.reads}
POSTS = {"quote_price", "list_snapshot_images"}


def only_got(app: Any) -> bool:
    """Whether the simulator was asked with GET alone, and nothing took effect."""
    barrack = app.state.barrack
    return {each["method"] for each in barrack.requests} <= {"GET"} and not barrack.journal


async def test_on_the_simulator_over_a_socket_every_read_works_and_nothing_is_written(tmp_path: Path) -> None:
    app = create_app()
    async with listening(app) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY))
    assert report.exit_code == 0
    assert report.diagnosis.startswith("The API answers and accepts the key; 29 of 29 reads tried work.")
    assert report.seen_working == READS - POSTS
    assert [each.tool for each in report.reads] == [each.tool for each in OPERATIONS if each.reads]
    assert {each.tool for each in report.reads if each.verdict is Verdict.UNTRIED} == POSTS
    assert report.lines == ""
    assert report.requests == len(app.state.barrack.requests) == len(report.reads)
    assert only_got(app)


async def test_the_embedded_simulator_needs_no_key_and_no_network(tmp_path: Path) -> None:
    report = await examined(settings(tmp_path, simulator="1"))
    assert report.exit_code == 0
    assert len(report.seen_working) == 29
    assert {each.verdict for each in report.checks} == {Verdict.OK}


async def test_as_shipped_the_other_barrack_is_said_to_know_none_of_the_paths(tmp_path: Path) -> None:
    app = create_app()
    async with listening(Other(app, ENTRIES)) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY))
    assert report.exit_code == 1
    assert "knows none of the" in report.diagnosis
    assert "BARRACK_API_URL is wrong, or this API has other paths" in report.diagnosis
    assert not app.state.barrack.requests


async def test_with_overrides_by_hand_every_read_of_the_other_barrack_works(tmp_path: Path) -> None:
    app = create_app()
    async with listening(Other(app, ENTRIES, UNLIKE, UNLIKE_VALUES)) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY), contract=Contract(BY_HAND))
    assert report.exit_code == 0, report.diagnosis
    assert len(report.seen_working) == 29
    assert only_got(app)


async def test_with_its_paths_alone_the_other_barrack_is_learned_and_the_lines_to_paste_mend_it(tmp_path: Path) -> None:
    paths = {tool: OperationOverride(method=method, path=path) for tool, (method, path) in PATHS.items()}  # type: ignore[arg-type]  # a table of texts
    contract = Contract(Overrides(api=ApiOverride(slash="never"), operations={t: paths[t] for t in READS}))
    app = create_app()
    async with listening(Other(app, ENTRIES, ALIKE, ALIKE_VALUES)) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY), contract=contract)
        assert report.exit_code == 3
        assert "takes the key as «X-API-Key: {key}»" in report.diagnosis
        assert read(report, "list_volumes").sentence == "The result is in data.disks."
        assert read(report, "get_volume").verdict is Verdict.DIFFERS
        assert 'result = "data.disks"' in read(report, "list_volumes").lines
        pasted = load(report.lines.encode(), "pasted.toml")
        assert pasted.operations["list_volumes"].fields["volumes.volume_id"] == "disk_id"
        from barrack_mcp.api.wire.overrides import merged  # noqa: PLC0415 - used once

        mended = Contract(merged(contract.overrides, pasted))
        again = await examined(settings(tmp_path, url, api_key=KEY), contract=mended)
    assert check(again, "key accepted").verdict is Verdict.OK
    assert not [each.tool for each in again.reads if each.verdict not in (Verdict.WORKS, Verdict.UNTRIED)]
    assert again.exit_code == 0
    assert only_got(app)


def turned(path: str) -> str | None:
    """An API without slashes at the end."""
    return None if path.endswith("/") else f"{path}/"


async def test_an_api_without_last_slashes_is_mended_by_one_line(tmp_path: Path) -> None:
    app = create_app()
    async with listening(Changed(app, moved=turned)) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY))
        assert report.exit_code == 1
        assert report.lines == '[api]\nslash = "never"\n'
        assert read(report, "get_volume").sentence == "It is at /volumes/{volume_id} (with or without the last slash)."
        mended = Contract(load(report.lines.encode(), "pasted.toml"))
        again = await examined(settings(tmp_path, url, api_key=KEY), contract=mended)
    assert again.exit_code == 0, again.diagnosis
    assert only_got(app)


MOVED = {
    "/gpu_stocks/": "/gpu-stocks/",
    "/vms/": "/instances/",
    "/volume/": "/volumes/",
    "/scripts": "/scripts/",
    "/credits/": "/balance/",
}


def moved(path: str) -> str | None:
    return MOVED.get(path, None if path in MOVED.values() else path)


async def test_a_read_that_moved_is_found_again_and_its_ids_are_used(tmp_path: Path) -> None:
    app = create_app()
    async with listening(Changed(app, moved=moved)) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY))
        found = {each.tool: each.lines.splitlines()[1] for each in report.reads if each.verdict is Verdict.DIFFERS}
        assert found == {
            "get_credit_balance": 'path = "/credits/"',
            "list_gpu_stock": 'path = "/gpu_stocks/"',
            "list_instances": 'path = "/vms/"',
            "list_volumes": 'path = "/volume/"',
            "list_startup_scripts": 'path = "/scripts"',
        }
        assert read(report, "get_instance").verdict is Verdict.WORKS
        assert "24 of 29 reads tried work" in report.diagnosis
        assert "Different: get_credit_balance, list_gpu_stock" in report.diagnosis
        assert report.exit_code == 1
        mended = Contract(load(report.lines.encode(), "pasted.toml"))
        again = await examined(settings(tmp_path, url, api_key=KEY), contract=mended)
    assert again.exit_code == 0
    assert only_got(app)


async def test_a_read_that_is_missing_is_sought_in_four_places_at_most(tmp_path: Path) -> None:
    app = create_app()

    def none(path: str) -> str | None:
        return path if path in ("/pricing/", "/volumes/") else None

    async with listening(Changed(app, moved=none)) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY))
    assert report.exit_code == 1
    assert read(report, "list_ssh_keys").verdict is Verdict.MISSING
    assert read(report, "get_ssh_key").sentence == "No id: list_ssh_keys did not work."
    assert report.requests <= 2 + 29 * 5
    assert only_got(app)


async def test_an_account_that_is_empty_leaves_reads_untried_and_nothing_fails(tmp_path: Path) -> None:
    def emptied(root: str) -> Callable[[Any], tuple[int, Any]]:
        return lambda body: (200, body | {root: [], "total": 0})

    lists = {"/volumes/": "volumes", "/snapshots/": "snapshots"}
    app = create_app()
    changed = Changed(app, answers={path: emptied(root) for path, root in lists.items()})
    async with listening(changed) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY))
    assert report.exit_code == 0
    assert read(report, "get_volume").verdict is Verdict.UNTRIED
    assert read(report, "get_volume").sentence == "No id: list_volumes lists none in this account."


def drifted(body: Any) -> tuple[int, Any]:
    rows = []
    for row in body["volumes"]:
        kept = {name: value for name, value in row.items() if name not in ("region", "size_gb")}
        known = {"zone_name": "x", "brand_new": 1, "size_gb": ["a lot"], "my-disk-7": 1, row["volume_name"]: 2}
        rows.append(kept | known)
    return 200, body | {"volumes": rows}


async def test_drift_of_shapes_is_told_by_names_of_fields_and_nothing_fails(tmp_path: Path) -> None:
    app = create_app()
    async with listening(Changed(app, answers={"/volumes/": drifted})) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY))
    volumes = read(report, "list_volumes")
    assert report.exit_code == 0
    assert volumes.verdict is Verdict.WORKS
    assert volumes.drift.types == {"volumes.size_gb": "a list"}
    assert "volumes.region" in volumes.drift.missing
    assert {"volumes.brand_new", "volumes.zone_name"} <= set(volumes.drift.new)
    # what may be somebody's name is not shown
    names = {each["volume_name"] for each in app.state.barrack.state()["volumes"]}
    assert not [name for name in (*names, "my-disk-7") if re.search(rf"(?<!\w){name}(?!\w)", repr(report))]


async def test_a_field_under_another_name_is_told_with_the_line_to_paste(tmp_path: Path) -> None:
    def renamed(body: Any) -> tuple[int, Any]:
        rows = [{("capacity_gb" if name == "size_gb" else name): row[name] for name in row} for row in body["volumes"]]
        return 200, body | {"volumes": rows}

    async with listening(Changed(create_app(), answers={"/volumes/": renamed})) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY))
    assert read(report, "list_volumes").drift.renamed == {"volumes.size_gb": "capacity_gb"}
    assert '"volumes.size_gb" = "capacity_gb"' in report.lines
    assert report.exit_code == 0


async def test_a_redirect_within_the_host_is_a_place_to_try_and_is_not_followed(tmp_path: Path) -> None:
    seen: list[bytes] = []

    def answer(request: bytes) -> bytes:
        line = request.split(b"\r\n")[0]
        seen.append(line)
        if b"authorization" not in request.lower():
            return told({}, "401 Unauthorized")
        if b"/api/regions/ " in line:
            return told({}, "301 Moved Permanently", Location="/api/places/all/")
        if b"/api/places/all/ " in line:
            return told({"regions": [{"name": "CANADA-1"}]})
        if b"/api/pricing/ " in line:
            return told({}, "302 Found", Location="https://elsewhere.example/api/pricing/")
        return told({"detail": "no"}, "404 Not Found")

    async with serving(answer) as (url, _):
        report = await examined(settings(tmp_path, url, timeout="5"))
    assert read(report, "list_regions").sentence == "It is at /places/all/ (the API points there)."
    assert read(report, "get_pricing").verdict is Verdict.MISSING
    assert {line.split(b" ")[0] for line in seen} == {b"GET"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "verdict", "said", "code"),
    [
        ((403, {"detail": "no"}), Verdict.REFUSED, "this key may not", 3),
        ((500, {"detail": "no"}), Verdict.FAILS, "The API answers 500", 1),
        ((429, {"detail": "no"}), Verdict.FAILS, "The API answers 429", 1),
        ((400, {"region": ["This field is required."]}), Verdict.DIFFERS, "The API answers 400 and wants region.", 1),
        ((422, {"nonsense": ["x"]}), Verdict.DIFFERS, "The API answers 422.", 1),
        ((200, {"success": False, "message": "x"}), Verdict.FAILS, "did not succeed", 1),
        ((200, {"success": True, "images": 7}), Verdict.DIFFERS, "no result that we know", 1),
        ((200, {"success": True, "images": [{"colour": 1}]}), Verdict.DIFFERS, "no result that we know", 1),
        ((200, [{"name": "Ubuntu"}]), Verdict.WORKS, "", 0),
        ((200, {"success": True, "results": [{"name": "Ubuntu"}]}), Verdict.WORKS, "", 0),
        ((200, {"page": {"places": [{"name": "A", "version": "B"}]}}), Verdict.DIFFERS, "is in page.places", 1),
    ],
    ids=["403", "500", "429", "400", "422", "success false", "number", "rows of others", "bare", "results", "moved"],
)
async def test_each_kind_of_answer_has_its_verdict(
    tmp_path: Path, answer: tuple[int, Any], verdict: Verdict, said: str, code: int
) -> None:
    app = Changed(create_app(), answers={"/os-images/": lambda _: answer})
    async with listening(app) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY))
    images = read(report, "list_os_images")
    assert (images.verdict, report.exit_code) == (verdict, code)
    assert said in images.sentence
    if answer[0] == 400:
        assert 'requires = ["region"]' in report.lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "verdict", "said"),
    [
        ({"action": "garbage"}, Verdict.MISSING, "A web page is there."),
        ({"action": "reset"}, Verdict.FAILS, "The connection broke."),
        ({"action": "truncate"}, Verdict.FAILS, "The connection broke."),
        ({"action": "stall"}, Verdict.FAILS, "No whole answer in time."),
        ({"action": "redirect"}, Verdict.MISSING, "The API redirects this path; not followed."),
        ({"action": "status", "status": 200, "body": "oops"}, Verdict.FAILS, "The answer is no JSON."),
    ],
    ids=lambda each: each["action"] if isinstance(each, dict) else "",
)
async def test_a_read_that_goes_wrong_at_the_socket_fails_alone(
    tmp_path: Path, fault: dict[str, Any], verdict: Verdict, said: str
) -> None:
    app = create_app()
    given = fault | {"path": "/balance/", "times": 9}
    app.state.barrack.faults.replace(faults.parse([given]))
    async with listening(app) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY, timeout="2"))
    balance = read(report, "get_credit_balance")
    assert (balance.verdict, balance.sentence) == (verdict, said)
    assert len(report.seen_working) == 28
    assert report.exit_code == 1
    assert only_got(app)


@pytest.mark.slow
async def test_reads_that_all_stall_end_with_the_time_and_the_rest_is_not_tried(tmp_path: Path) -> None:
    app = create_app()
    barrack = app.state.barrack
    barrack.faults.replace(
        faults.parse(
            [{"action": "slow", "path": "/pricing/", "times": 2, "pace_s": 0}, {"action": "stall", "times": 99}]
        )
    )
    async with listening(app) as url:
        with anyio.fail_after(MOST_S):
            report = await examine(settings(tmp_path, url, api_key=KEY, timeout="2"), seconds=2.2)
    assert report.seconds < MOST_S
    assert report.exit_code == 1
    sentences = {each.sentence for each in report.reads}
    assert "No whole answer in time." in sentences
    assert "The time was up before its turn." in sentences


async def test_what_the_contract_makes_of_a_read_is_respected_and_never_sent_as_anything_but_get(
    tmp_path: Path,
) -> None:
    contract = Contract(
        Overrides(
            operations={
                "list_volumes": OperationOverride(method="DELETE"),
                "list_regions": OperationOverride(send="body", constants={"all": True}),
                "list_gpu_specs": OperationOverride(path="/gpu-specs/{region}/"),
                "get_pricing": OperationOverride(constants={"currency": "USD"}),
                "get_instance": OperationOverride(path="/instances/{instance_id}/", constants={"full": True}),
            }
        )
    )
    app = create_app()
    async with listening(app) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY), contract=contract)
    assert read(report, "list_volumes").verdict is Verdict.WORKS
    assert "sends none" in read(report, "list_regions").sentence
    assert read(report, "list_gpu_specs").sentence == "It needs region, and no read tells one."
    asked = {each["path"]: each["query"] for each in app.state.barrack.requests}
    assert asked["/pricing/"] == {"currency": "USD"}
    assert only_got(app)
    assert report.exit_code == 0


async def test_an_id_that_is_a_word_of_the_apis_paths_is_not_asked_for(tmp_path: Path) -> None:
    def odd(body: Any) -> tuple[int, Any]:
        return 200, body | {"volumes": [row | {"volume_id": "billing"} for row in body["volumes"]]}

    contract = Contract(Overrides(operations={"list_regions": OperationOverride(requires=("tier",))}))
    async with listening(Changed(create_app(), answers={"/volumes/": odd})) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY), contract=contract)
    assert read(report, "get_volume").sentence == "The id found has no form in this path."
    assert report.exit_code == 0


async def test_a_contract_with_one_slash_for_all_is_not_tried_with_the_other(tmp_path: Path) -> None:
    app = create_app()
    contract = Contract(Overrides(api=ApiOverride(slash="never")))
    async with listening(app) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY), contract=contract)
    assert "knows none of the" in report.diagnosis
    assert not [each for each in app.state.barrack.requests if each["path"].endswith("/")]


async def test_what_answers_at_another_place_does_not_count_as_seen_to_work(tmp_path: Path) -> None:
    contract = Contract()
    async with listening(Changed(create_app(), moved=moved)) as url:
        report = await examined(settings(tmp_path, url, api_key=KEY), contract=contract)
    assert "list_instances" not in report.seen_working | contract.seen
    assert "list_ssh_keys" in report.seen_working


async def test_a_key_that_may_read_some_things_only_is_said(tmp_path: Path) -> None:
    def answer(request: bytes) -> bytes:
        if b" /api/pricing/ " in request or CANARY.encode() not in request:
            return told({"pricing_data": {"gpus": []}})
        return told({"regions": []}) if b" /api/regions/ " in request else told({}, "403 Forbidden")

    async with serving(answer) as (url, _):
        report = await examined(settings(tmp_path, url))
    assert check(report, "key accepted").verdict is Verdict.WARNING
    assert report.exit_code == 3
    assert "2 of 20 reads tried work. Refused to this key: get_credit_balance" in report.diagnosis
