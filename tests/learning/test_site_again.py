"""What a documentation site doesn't give is told; what it gave once is kept, and asked for only if it changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from barrack_mcp.api.learning.asking import open_asker
from barrack_mcp.api.learning.found import Found, Hindrance
from barrack_mcp.api.learning.site import read_site
from barrack_mcp.state.cache import CacheFolder
from tests.learning.apidog import SITE, Answer, Site, endpoints, index
from tests.learning.test_site import EVERY, FEW, TODAY, few, learned, of, sure
from tests.support.running import KEY

pytestmark = pytest.mark.anyio

CHALLENGE = Answer(b"<!doctype html><title>Just a moment...</title>", 403, {"CF-Mitigated": "challenge"})


def told(found: Found, *words: str) -> bool:
    return any(all(word in note for word in words) for note in found.notes)


@pytest.mark.parametrize(
    ("answer", "words", "hindered"),
    [
        (Answer(b"", 404), "answered 404", None),
        (Answer(b"<!doctype html><div id=app>"), "is a web page", None),
        (Answer(b"", 301, {"Location": "https://elsewhere.example/llms.txt"}), "leads elsewhere (301)", None),
        (Answer(b"", 302, {"Location": "/login"}), "leads elsewhere (302)", None),
        (CHALLENGE, "a sign-in or a challenge", Hindrance.GATEWAY),
        (Answer(b"\xff\xfe\x00"), "is no text", None),
        (Answer(b"# Nothing\n"), "names no page of an endpoint", None),
        (Answer(b"", 429, {"Retry-After": "7"}), "was put off (429)", Hindrance.THROTTLED),
        (Answer(b"x" * 9_000_000), "is larger than 8 MiB", None),
    ],
)
async def test_a_site_without_an_index_teaches_nothing_and_says_why(
    answer: Answer, words: str, hindered: Hindrance | None
) -> None:
    site = Site(few())
    site.answers["/llms.txt"] = answer
    found = await learned(site)
    assert (found.document.operations, found.complete, found.hindered) == ((), False, hindered)
    assert told(found, f"{SITE}/llms.txt", words)
    assert told(found, "gave no list of its pages")
    assert len(site.asked) == 1
    assert site.hosts == {SITE}


async def test_an_index_may_stand_below_the_address_or_at_its_root_and_name_others() -> None:
    site = Site([])
    pages = endpoints()
    site.answers = {page.path: Answer(page.markdown.encode()) for page in pages}
    site.answers["/llms.txt"] = Answer(
        f"- [EN]({SITE}/en/llms.txt)\n- [DE]({SITE}/de/llms.txt)\n- [x]({SITE}/llms.txt)".encode()
    )
    site.answers["/en/llms.txt"] = Answer(index(pages[:30]).encode())
    site.answers["/de/llms.txt"] = Answer(index(pages[30:]).encode())
    found = await learned(site, f"{SITE}/docs/llms.txt?x=1#top")
    assert sure(found) == EVERY
    assert found.place == f"{SITE}/docs"
    assert told(found, "/docs/llms.txt answered 404")


@pytest.mark.parametrize("url", ["http://docs.barrack.test", "ftp://docs.barrack.test", "https://me:pw@docs.test", "x"])
async def test_an_address_that_may_not_be_asked_is_refused_without_its_words(url: str) -> None:
    site = Site(endpoints())
    with pytest.raises(ValueError, match=r"^must (be|begin|not)") as raised:
        await learned(site, url)
    assert "pw" not in str(raised.value)
    assert not site.asked


async def test_where_half_of_the_pages_fail_the_other_half_is_kept_and_the_way_on_is_told() -> None:
    site = Site(endpoints())
    wrong = [
        Answer(b"", 500),
        Answer(b"", 302, {"Location": "https://elsewhere.example/"}),
        Answer(b"<html>"),
        Answer(b""),
        Answer(b"", 304),
        Answer(b"x", 200, {"Content-Encoding": "gzip"}),
    ]
    pages = [path for path in site.answers if path != "/llms.txt"]
    for number, path in enumerate(pages[::2]):
        site.answers[path] = wrong[number % len(wrong)]
    found = await learned(site)
    assert sure(found) == {page.tool for page in endpoints()[1::2]}
    assert not found.complete
    whole = [found for number, found in enumerate(pages[::2]) if number % len(wrong) in (2, 3)]
    assert told(found, f"{len(pages[::2]) - len(whole)} pages could not be read", "Run the same command again later")
    assert told(found, f"{len(whole)} pages came with nothing that can be read", "is empty", "is a web page")
    assert site.hosts == {SITE}


async def test_a_challenge_before_each_page_ends_the_asking_soon() -> None:
    site = Site(endpoints())
    for path in [page.path for page in endpoints()]:
        site.answers[path] = CHALLENGE
    found = await learned(site)
    assert len(site.read) <= 12
    assert found.hindered is Hindrance.GATEWAY
    assert told(found, "gave no page 8 times in a row")


async def test_asked_to_wait_it_stops_keeps_what_was_read_and_goes_on_from_there(tmp_path: Path) -> None:
    site, read = Site(endpoints()), []
    for _ in range(4):
        site.allowed = len(site.asked) + 21
        found = await learned(site, cache=tmp_path)
        read.append(len(sure(found)))
        if found.complete:
            break
        assert found.hindered is Hindrance.THROTTLED
        assert told(found, "asks to wait for 30 s (429)", "Run the same command again later", "Read so far: ")
    assert read[:3] == [20, 40, 60]
    assert (read[3], found.complete, found.hindered) == (len(EVERY), True, None)
    # those already asked when the first was put off came back, no more
    assert len(site.asked) <= 4 * (21 + 4)


async def test_a_page_that_did_not_change_is_not_sent_again(tmp_path: Path) -> None:
    site = Site(few())
    first = await learned(site, cache=tmp_path)
    before = len(site.asked)
    second = await learned(site, cache=tmp_path, today=TODAY + timedelta(days=9))
    assert site.unchanged == before == len(site.asked) - before
    assert second.document == first.document
    assert second.complete


async def test_a_page_that_changed_is_read_anew(tmp_path: Path) -> None:
    site = Site(few())
    await learned(site, cache=tmp_path)
    page = of("create_volume", few())
    site.answers[page.path] = Answer(page.markdown.replace("/api/disks", "/api/vols").encode())
    found = await learned(site, cache=tmp_path)
    assert "/vols" in {operation.path for operation in found.document.operations}


async def test_what_fails_later_is_as_it_was_read_before_and_told_with_its_day(tmp_path: Path) -> None:
    site = Site(few())
    await learned(site, cache=tmp_path)
    for path in list(site.answers)[::2]:
        site.answers[path] = CHALLENGE if path == "/llms.txt" else Answer(b"", 500)
    found = await learned(site, cache=tmp_path, today=date(2026, 12, 24))
    assert sure(found) == FEW
    assert not found.complete
    assert told(found, "As read before, the oldest on ", TODAY.isoformat())
    assert told(found, "The index answered 403", TODAY.isoformat())


@pytest.mark.parametrize("status", [404, 410])
async def test_a_page_that_the_site_took_away_counts_no_more(tmp_path: Path, status: int) -> None:
    site, page = Site(few()), of("create_volume", few())
    await learned(site, cache=tmp_path)
    site.answers[page.path] = Answer(b"", status)
    found = await learned(site, cache=tmp_path)
    assert sure(found) == FEW - {"create_volume"}
    assert told(found, "1 page could not be read", f"«Create volume» answered {status}")


async def test_nobody_there_is_told_as_unreachable_and_not_asked_for_ever(tmp_path: Path) -> None:
    site = Site(endpoints())

    async def refuse(path: str) -> None:
        if path != "/llms.txt" or not patient:
            raise ConnectionRefusedError

    site.before, patient = refuse, False
    found = await learned(site)
    assert (found.hindered, found.document.operations, len(site.asked)) == (Hindrance.UNREACHABLE, (), 1)
    patient = True
    found = await learned(site, cache=tmp_path)
    assert (found.hindered, found.document.operations) == (Hindrance.UNREACHABLE, ())
    assert len(site.read) <= 12
    assert told(found, "gave no page 8 times in a row", "Run the same command again later")


async def test_what_others_have_asked_already_is_within_the_same_budget() -> None:
    site = Site(endpoints())
    async with open_asker(SITE, app=site, most=30) as asker:
        found = await read_site(asker, SITE, cache=None, today=TODAY)
    assert (len(site.asked), len(sure(found)), found.hindered) == (30, 29, Hindrance.SPENT)
    assert told(
        found, "All requests that learning may make were made", "Read so far: 29 pages. Still to read: 34 pages"
    )


async def test_one_page_in_two_languages_is_read_once_in_ours() -> None:
    pages = endpoints()
    foreign = [f"- Datenträger [Titel {page.number}]({SITE}/de{page.path}): " for page in pages]
    again = [f"- {page.folder} [{page.title}]({SITE}/v1{page.path}): " for page in pages]
    site = Site(pages, *foreign, *again)
    found = await learned(site)
    assert sure(found) == EVERY
    assert sorted(site.read) == sorted(page.path for page in pages)
    assert found.complete


async def test_the_cache_is_its_owners_alone_and_holds_no_key(tmp_path: Path) -> None:
    await learned(Site(few()), cache=tmp_path / "a" / "b")
    files = list((tmp_path / "a" / "b").iterdir())
    assert len(files) == 1 + len(FEW)
    assert all(KEY.encode() not in file.read_bytes() for file in files)
    if os.name == "posix":
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a", tmp_path / "a" / "b")} == {0o700}


def _flip(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"X")


def _swap(file: Path) -> None:
    other = next(each for each in file.parent.iterdir() if each != file)
    file.write_bytes(other.read_bytes())


def _link(file: Path) -> None:
    real = file.parent.parent / f"{file.name}.real"
    file.rename(real)
    file.symlink_to(real)


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _header(file: Path) -> None:
    head, _, body = file.read_bytes().partition(b"\n")
    file.write_bytes(head.replace(b'"etag": "', b'"etag": "x\\r\\nX-Evil: 1') + b"\n" + body)


@pytest.mark.parametrize(
    "spoil",
    [
        _flip,
        _swap,
        _link,
        _pipe,
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"{}\n"),
        lambda file: file.write_bytes(b"[" * 3_000 + b"\n"),
        lambda file: file.write_bytes(b"\xff\n\n"),
        lambda file: file.chmod(0o644),
        lambda file: (file.unlink(), file.mkdir()),
    ],
    ids=["flipped", "swapped", "link", "pipe", "empty", "no head", "deep head", "no text", "open to others", "folder"],
)  # fmt: skip
@pytest.mark.skipif(os.name != "posix", reason="made of what POSIX has")
async def test_a_page_that_was_spoiled_or_planted_is_asked_for_as_if_it_were_not_there(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    pages = endpoints()[:9]
    site = Site(pages)
    known = sure(await learned(site, cache=tmp_path / "kept"))
    assert len(known) == len(pages)
    for file in sorted((tmp_path / "kept").iterdir())[:2]:
        spoil(file)
    before = len(site.asked)
    found = await learned(site, cache=tmp_path / "kept")
    assert sure(found) == known
    assert len(site.asked) - before == 1 + len(pages)
    assert site.unchanged == len(pages) - 1


async def test_what_is_kept_never_puts_a_line_into_a_header(tmp_path: Path) -> None:
    site = Site(few())
    await learned(site, cache=tmp_path)
    for file in tmp_path.iterdir():
        _header(file)
    found = await learned(site, cache=tmp_path)
    assert sure(found) == FEW
    assert not any("x-evil" in headers for _, _, headers in site.asked)


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps no such bits")
async def test_a_folder_that_others_can_change_is_not_used(tmp_path: Path) -> None:
    site = Site(few())
    await learned(site, cache=tmp_path)
    tmp_path.chmod(0o777)
    await learned(site, cache=tmp_path)
    assert not site.unchanged


async def test_where_nothing_can_be_kept_the_site_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert sure(await learned(Site(few()), cache=tmp_path / "file" / "below")) == FEW


def test_the_oldest_go_beyond_the_bounds(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path, most_files=3, most_bytes=100)
    for number in range(5):
        folder.write(str(number), b"x" * 10)
        os.utime(tmp_path / str(number), (number, number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3", "4"]
    folder.write("large", b"x" * 95)
    assert [path.name for path in tmp_path.iterdir()] == ["large"]
    folder.write("too large", b"x" * 101)
    assert folder.read("too large") is None
    assert folder.read("large") == b"x" * 95
