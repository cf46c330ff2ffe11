"""Names that mean the same, and the best way to pair two sets of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barrack_mcp.api.wire.names import actions, alike, paired, words


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("vmName", ("vm", "name")),
        ("HTTPServer_ids", ("http", "server", "id")),
        ("security groups", ("securitygroup",)),
        ("policies", ("policy",)),
        ("status", ("status",)),
        ("", ()),
    ],
)
def test_a_name_is_taken_apart_however_it_is_written(name: str, parts: tuple[str, ...]) -> None:
    assert words(name) == parts


@pytest.mark.parametrize(
    ("ours", "theirs", "near"),
    [
        ("instance_id", "serverId", True),
        ("region", "location", True),
        ("size_gb", "volume_size_gb", True),
        ("NVMe", "nvme_disk", True),
        ("ingress", "inbound", True),
        ("IPv4", "IPv6", False),
        ("port_1", "port_2", False),
        ("name", "size", False),
        ("", "name", False),
    ],
)
def test_names_of_one_meaning_are_alike(ours: str, theirs: str, *, near: bool) -> None:
    assert (alike(ours, theirs) >= 0.6) is near
    assert alike(ours, theirs) == alike(theirs, ours)


def test_only_the_same_letters_are_fully_alike() -> None:
    assert alike("vm_name", "vmName") == 1.0
    assert alike("region", "location") < 1.0


def test_an_action_is_one_whatever_word_it_bears() -> None:
    assert actions("power_on") == actions("poweron") == {"start"}
    assert actions("terminateServer") == actions("delete_instance") == {"delete"}


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.integers(1, 4).flatmap(
        lambda columns: st.lists(
            st.lists(st.integers(0, 10), min_size=columns, max_size=columns), min_size=1, max_size=4
        )
    )
)
def test_the_most_alike_are_paired_first_and_none_twice(table: list[list[int]]) -> None:
    scores = [[value / 10 for value in row] for row in table]
    pairs = paired(scores, 0.5)
    assert all(scores[row][column] >= 0.5 for row, column in pairs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    for row, line in enumerate(scores):
        for column, score in enumerate(line):
            rivals = [scores[at][to] for at, to in pairs if at == row or to == column]
            assert score < 0.5 or any(rival >= score for rival in rivals)


def test_nothing_pairs_with_nothing() -> None:
    assert paired([], 0.5) == paired([[], []], 0.5) == []
