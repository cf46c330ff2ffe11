"""Approvals by somebody else, in a real browser: two people, four eyes, and both ways to sign in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from playwright.async_api import Browser, Page, expect

from team import Team, provider, team
from test_access import AXE, SCHEMES

pytestmark = pytest.mark.anyio


@pytest.fixture
async def made(browser: Browser, tmp_path: Path) -> AsyncIterator[Team]:
    with anyio.fail_after(180):
        async with team(browser, tmp_path) as served:
            yield served
            assert served.complaints == []


async def violations(tab: Page) -> list[Any]:
    """What axe finds."""
    # a button takes no click in its first second and is dimmed meanwhile
    await expect(tab.locator("button[aria-disabled]")).to_have_count(0)
    await tab.evaluate(AXE)
    found = await tab.evaluate("axe.run()")
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]


async def test_what_ada_asks_for_grace_approves_and_ada_can_t(made: Team) -> None:
    asked = await made.call("ada")
    assert asked["outcome"] == "approval_required"
    waits = asked["approval"]["id"]
    place = f"/requests/{waits}"
    assert f"{made.url}/approvals{place}" in asked["message"]

    ada = await made.sign_in("ada", place)
    await expect(ada.get_by_text("You asked for this yourself")).to_be_visible()
    await expect(ada.get_by_role("button", name="Approve")).to_have_count(0)
    await expect(ada.get_by_role("button", name="Withdraw it")).to_be_visible()

    grace = await made.sign_in("grace", place)
    await expect(grace.get_by_text("Asked by ada")).to_be_visible()
    await grace.get_by_role("button", name="Approve: stop").click()
    await expect(grace.get_by_text("approved by grace")).to_be_visible()
    # ada's page learns of it by itself
    await expect(ada.get_by_text("approved by grace")).to_be_visible()

    done = await made.call("ada")
    assert (done["outcome"], done["confirmed"]["by"], await made.effects()) == ("done", "grace", ["stop_instance"])


async def test_who_is_no_approver_sees_their_own_alone_and_has_no_button_to_approve(made: Team) -> None:
    others, own = [(await made.call(name))["approval"]["id"] for name in ("ada", "eve")]
    eve = await made.sign_in("eve")
    await expect(eve.locator(f'[data-key="{own}"]')).to_have_count(1)
    await expect(eve.locator(f'[data-key="{others}"]')).to_have_count(0)
    await expect(eve.get_by_text("not among those who may approve")).to_be_visible()
    await expect(eve.get_by_role("button", name="Approve")).to_have_count(0)
    await expect(eve.get_by_role("link", name="What runs and what it costs")).to_have_count(0)
    # nor by a form of their own making
    mark = await eve.locator(f'[data-key="{own}"] input[name="mark"]').get_attribute("value")
    sent = await eve.evaluate(
        "async ([place, mark]) => (await fetch(place, {method: 'POST', body: new URLSearchParams({mark})})).status",
        [f"{made.url}/approvals/requests/{own}/approve", mark],
    )
    assert (sent, await made.effects()) == (403, [])
    assert (await made.call("eve"))["outcome"] == "approval_required"
    await eve.get_by_role("button", name="Withdraw it").click()
    await expect(eve.get_by_text("denied by eve")).to_be_visible()
    assert (await made.call("eve"))["outcome"] == "refused"


async def test_the_cookie_is_kept_by_the_browser_for_this_host_alone_and_goes_with_signing_out(made: Team) -> None:
    grace = await made.sign_in("grace")
    [cookie] = await grace.context.cookies()
    assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("__Host-barrack_approvals", True, True)
    assert (cookie["path"], cookie["sameSite"], cookie["domain"]) == ("/", "Lax", "localhost")
    assert await grace.evaluate("document.cookie") == ""
    await grace.get_by_role("button", name="Sign out").click()
    await expect(grace.get_by_role("heading", name="Sign in to approve")).to_be_visible()
    assert await grace.context.cookies() == []
    await grace.context.add_cookies([{**cookie, "url": made.url, "domain": None, "path": None}])  # type: ignore[typeddict-item]  # a copy of it, kept elsewhere
    await grace.goto(f"{made.url}/approvals/")
    await expect(grace.get_by_role("heading", name="Sign in to approve")).to_be_visible()


async def test_who_comes_from_a_chat_is_known_and_who_is_sent_by_another_page_changes_nothing(made: Team) -> None:
    waits = (await made.call("ada"))["approval"]["id"]
    grace = await made.sign_in("grace")
    await grace.route("https://chat.test/*", lambda route: route.fulfill(content_type="text/html", body=page))
    page = f'<a href="{made.url}/approvals/requests/{waits}">Approve</a>'
    await grace.goto("https://chat.test/")
    await grace.get_by_role("link", name="Approve").click()
    await expect(grace.get_by_role("button", name="Approve: stop")).to_be_visible()
    page = (
        f'<form method="post" action="{made.url}/approvals/requests/{waits}/approve"><button>Win</button></form>'
        f'<iframe src="{made.url}/approvals/requests/{waits}"></iframe>'
    )
    await grace.goto("https://chat.test/")
    await expect(grace.frame_locator("iframe").get_by_role("button", name="Approve: stop")).to_have_count(0)
    await grace.get_by_role("button", name="Win").click()
    await grace.wait_for_url(f"{made.url}/**")
    assert (await made.call("ada"))["outcome"] == "approval_required"


async def test_a_person_signs_in_at_an_identity_provider_and_approves(browser: Browser, tmp_path: Path) -> None:
    ways = {"BARRACK_OIDC_AUDIENCE": "https://bot.example.com", "BARRACK_OIDC_CLIENT_ID": "approvals"}
    ways["BARRACK_OIDC_CLIENT_SECRET"] = "a secret that this provider wants and doesn't look at"
    users = [json.dumps({"sub": sub}) for sub in ("hopper", "mallory")]
    with anyio.fail_after(180):
        async with (
            provider(*users) as issuer,
            team(browser, tmp_path, BARRACK_OIDC_ISSUER=issuer, BARRACK_APPROVERS="hopper", **ways) as made,
        ):
            waits = (await made.call("ada"))["approval"]["id"]
            for user in ("mallory", "hopper"):
                tab = await made.visit(f"/requests/{waits}")
                await tab.get_by_role("link", name="Sign in with your organisation").click()
                await tab.get_by_role("button", name=user, exact=True).click()
                await tab.wait_for_url(f"{made.url}/approvals/requests/{waits}")
                if user == "mallory":
                    # known, and no approver: there is nothing of ada's to see
                    await expect(tab.get_by_text("There is no request with this id")).to_be_visible()
            await tab.get_by_role("button", name="Approve: stop").click()
            await expect(tab.get_by_text("approved by hopper")).to_be_visible()
            assert ((await made.call("ada"))["confirmed"]["by"], await made.effects()) == ("hopper", ["stop_instance"])
            assert made.complaints == []


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_each_sheet_is_readable_in_both_schemes_on_a_phone_too(
    made: Team, scheme: Literal["light", "dark"]
) -> None:
    waits = (await made.call("ada"))["approval"]["id"]
    phone: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": 390, "height": 800}}
    stranger = await made.visit(**phone)
    assert await violations(stranger) == []
    for name in ("ada", "grace"):
        tab = await made.sign_in(name, **phone)
        for path in ("/", f"/requests/{waits}", "/costs"):
            await tab.goto(f"{made.url}/approvals{path}")
            assert await violations(tab) == []
            assert await tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
