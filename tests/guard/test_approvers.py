"""Who may say yes to what: a pure rule, tried over all that it rests on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from barrack_mcp.guard.approvals import Approval, Approvers, Person, Status, find_signer, is_signed_on_page, sign

ASKED = Approval(
    id="ap-1",
    binding="b",
    caller="ci-bot",
    tool="delete_volume",
    arguments={},
    plan={},
    must_type=None,
    fingerprint="f",
    status=Status.PENDING,
    created_at=0,
    expires_at=600,
)
GRACE = Person(name="grace", approver=True)


@pytest.mark.promise("H3")
@pytest.mark.parametrize("name", ["grace", "Grace", "GRACE ", "\uff47race", "gr\u0430ce", "gra\u200bce"])
def test_with_four_eyes_nobody_may_say_yes_to_their_own_however_it_is_spelled(name: str) -> None:
    own = replace(ASKED, caller=name)
    assert "You asked for this yourself" in str(Approvers().why_not(GRACE, own))
    assert Approvers(four_eyes=False).why_not(GRACE, own) is None
    assert Approvers().why_not(GRACE, replace(ASKED, caller="grace-2")) is None


@pytest.mark.promise("H3")
def test_a_request_is_also_theirs_whose_other_names_it_bears() -> None:
    asked = replace(ASKED, caller="00u9", known_as=["Ada", "ada@example.com"])
    for person in (Person(name="ada", approver=True), Person(name="x", approver=True, known_as=frozenset({"ADA"}))):
        assert "You asked for this yourself" in str(Approvers().why_not(person, asked))
    assert Approvers().why_not(GRACE, asked) is None


def test_the_operators_word_for_somebody_is_the_name_of_their_row_too() -> None:
    approvers = Approvers(names=frozenset({"Grace"}))
    assert approvers.include(Person(name="00u123", called="Grace"))
    assert not approvers.include(Person(name="00u123", known_as=frozenset({"Grace"})))


@pytest.mark.promise("H3")
def test_a_name_and_a_mail_address_that_begins_with_it_are_taken_for_one_and_two_addresses_for_two() -> None:
    person = Person(name="u-17", approver=True, known_as=frozenset({"grace@example.com"}))
    for caller, may in (("grace", False), ("Grace@Example.com", False), ("grace@example.org", True), ("u-1", True)):
        assert (Approvers().why_not(person, replace(ASKED, caller=caller)) is None) is may


@pytest.mark.promise("H3")
@pytest.mark.parametrize("claim", ["grace", "Grace@example.com", "u-17", "G.Hopper@example.com", "g.hopper"])
def test_nor_to_what_is_said_to_be_asked_for_on_their_behalf(claim: str) -> None:
    person = replace(GRACE, known_as=frozenset({"u-17", "g.hopper@example.com"}))
    claimed = replace(ASKED, on_behalf_of=claim)
    assert "on your behalf" in str(Approvers().why_not(person, claimed))
    assert Approvers(four_eyes=False).why_not(person, claimed) is None
    assert Approvers().why_not(person, replace(ASKED, on_behalf_of="ada@example.com")) is None
    # a claim never makes anybody one who may, nor shows anything to them
    eve = Person(name="eve")
    assert Approvers().why_not(eve, replace(ASKED, on_behalf_of="eve")) is not None
    assert not Approvers().may_see(eve, replace(ASKED, on_behalf_of="eve"))


@pytest.mark.parametrize(
    ("words", "person", "may"),
    [
        ((), Person(name="eve"), False),
        ((), GRACE, True),
        (("eve",), Person(name="eve"), True),
        (("Eve",), Person(name="eve"), False),
        (("group:sre",), Person(name="eve", groups=frozenset({"sre", "dev"})), True),
        (("group:sre",), Person(name="group:sre"), False),
        (("sre",), Person(name="eve", groups=frozenset({"sre"})), False),
        (("group:sre",), Person(name="sre"), False),
        (("eve",), Person(name="mallory", known_as=frozenset({"eve"})), False),
    ],
)
def test_an_approver_is_named_by_the_file_or_the_settings_by_name_or_by_group(
    words: tuple[str, ...], *, person: Person, may: bool
) -> None:
    approvers = Approvers.of_words(words, four_eyes=True)
    assert approvers.include(person) is may
    assert (approvers.why_not(person, ASKED) is None) is may
    assert approvers.may_see(person, ASKED) is may
    assert approvers.may_see(person, replace(ASKED, caller=person.name))


@pytest.mark.parametrize("name", ["grace", "u 17", "x at a terminal", "on the page"])
def test_who_answers_on_the_page_is_written_down_and_read_again(name: str) -> None:
    assert (is_signed_on_page(sign(name)), find_signer(sign(name))) == (True, name)
    assert (is_signed_on_page(sign(None)), find_signer(sign(None))) == (True, None)
    assert not is_signed_on_page("local:7 at a terminal")
