"""Where else a read is sought: few places, none of them another operation's, and never another host."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.catalogue import BY_TOOL, OPERATIONS
from barrack_mcp.cli.doctor.elsewhere import MOST, How, places, pointed_at

READS = [operation for operation in OPERATIONS if operation.reads and operation.method == "GET"]
BASE = "https://barrack.example/api"
TAKEN = [operation.path for operation in OPERATIONS]


@pytest.mark.parametrize("operation", READS, ids=lambda each: each.tool)
def test_places_are_few_and_none_is_another_operations(operation: object) -> None:
    read = next(each for each in READS if each is operation)
    found = places(read, read.path, taken=TAKEN)
    assert 1 <= len(found) <= MOST
    assert len({place.path for place in found}) == len(found)
    shapes = {path.rstrip("/").split("{")[0] for path in TAKEN if path != read.path and "{" not in path}
    for place in found:
        assert place.path != read.path
        assert place.path.rstrip("/") not in shapes - {read.path.rstrip("/")}


def test_the_likeliest_place_comes_first_and_what_helped_before_goes_before_that() -> None:
    read = BY_TOOL["list_gpu_stock"]
    hows = [place.how for place in places(read, "/gpu-stocks/")]
    assert hows == [How.SLASH, How.CATALOGUE, How.CATALOGUE, How.DASH]
    assert places(read, "/gpu-stocks/", won=[How.DASH])[0].path == "/gpu_stocks/"
    assert places(read, "/gpu_stocks")[-1].path == "/gpu-stocks"
    assert places(read, "/gpu-stocks/", pointed="/stock/all/")[0].how is How.REDIRECT
    assert places(BY_TOOL["list_volumes"], "/volumes/")[-1].path == "/volume/"
    assert places(BY_TOOL["list_volumes"], "/volume")[-1].path == "/volumes"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (f"{BASE}/volumes/v-1", "/volumes/{volume_id}"),
        (f"{BASE}/disks/v-1/", "/disks/{volume_id}/"),
        (f"{BASE}/disks/", ""),
        (f"{BASE}/disks/v-1?token=1", ""),
        (f"{BASE}/disks/v-1#x", ""),
        (f"{BASE}/{{key_id}}/v-1", ""),
        (f"{BASE}//v-1", ""),
        (f"{BASE}/a b/v-1", ""),
        ("https://barrack.example/login/v-1", ""),
        ("https://other.example/api/volumes/v-1", ""),
        ("http://barrack.example/api/volumes/v-1", ""),
        ("https://barrack.example@other.example/api/volumes/v-1", ""),
        ("", ""),
    ],
)
def test_a_redirect_is_a_place_only_below_the_same_base_url(location: str, path: str) -> None:
    assert pointed_at(location, base=BASE, values={"volume_id": "v-1"}) == path


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_no_redirect_of_any_form_leads_elsewhere(text: str) -> None:
    for location in (text, f"{BASE}{text}", f"{BASE}/{text}"):
        path = pointed_at(location, base=BASE, values={})
        assert path == "" or (path.startswith("/") and path.isascii() and "//" not in path and "@" not in path)
