"""The two forms of a message: Slack's blocks, and plain JSON that any program, Mattermost and Discord read."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import SecretStr

from barrack_mcp.api.text import escape_markup
from barrack_mcp.catalogue import JsonObject
from barrack_mcp.server.chat.notes import HEADLINES, Note, in_short

Form: TypeAlias = Literal["json", "slack"]

VERSION: Final = 1
"""Of the JSON form; it grows when a field goes or changes its meaning, not when one is added."""

_SLACK: Final = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
_LONGEST_TEXT: Final = 1_900
"""Characters: Discord refuses more than 2,000."""
_LONGEST_BLOCK: Final = 2_900
"""Characters, escapes included: Slack refuses more than 3,000."""
_LINES: Final = 10
"""Of a message that tells of many things."""
_MARKED: Final = re.compile(r"(?<![\w.+-])@(?=\w)|\b[Ww]{3}(?=\.\w)|:(?=//)|\](?=\()")
"""Where some chats begin to make a mention or a link of a text."""
_APART: Final = "\u200b"
"""Nothing to see, and enough to keep a word from being one."""


def form_for(url: SecretStr) -> Form:
    """Choose the form by the host: Slack's own take blocks; what else there is reads JSON with a text."""
    return "slack" if urlsplit(url.get_secret_value()).hostname in _SLACK else "json"


def write_message(notes: Sequence[Note], *, form: Form, delivery: str, simulator: bool = False) -> bytes:
    """Write what a chat is told.

    Args:
        notes: What there is to tell: one thing in full, several in a line each.
        form: How the other side wants it.
        delivery: Names the message.
        simulator: Whether none of it is real.
    """
    body = _slack(notes, simulator=simulator) if form == "slack" else _plain(notes, delivery, simulator=simulator)
    return json.dumps(body, separators=(",", ":")).encode()


def _plain(notes: Sequence[Note], delivery: str, *, simulator: bool) -> JsonObject:
    text = _text(notes, _LONGEST_TEXT, simulator=simulator)
    return {
        "version": VERSION,
        "id": delivery,
        "simulator": simulator,
        "events": [_event(note) for note in notes],
        # what Slack's kin and Discord show; the latter is told to wake nobody
        "text": text,
        "content": text,
        "allowed_mentions": {"parse": []},
    }


def _event(note: Note) -> JsonObject:
    approval, plan = note.approval, note.plan
    came = None if note.came is None else {"outcome": note.came.outcome, "message": note.came.message}
    target = {} if plan is None else {key: plan.target.get(key) for key in ("type", "id", "name")}
    return {
        "event": note.event.value,
        "at": _iso(note.at),
        "request": {
            "id": approval.id,
            "tool": approval.tool,
            "summary": note.summary,
            "risk": None if plan is None else plan.risk.value,
            "target": target,
            "cost": None if plan is None or plan.cost is None else plan.cost.model_dump(mode="json"),
            "details": note.details(),
            "caller": approval.caller,
            "on_behalf_of": approval.on_behalf_of,
            "asked_at": _iso(approval.created_at),
            "expires_at": _iso(approval.expires_at),
            "status": approval.status.value,
            "decided_by": approval.decided_by,
            "decided_at": None if approval.decided_at is None else _iso(approval.decided_at),
        },
        "came": came,
        "waiting": note.waiting,
        "link": note.link,
    }


def _slack(notes: Sequence[Note], *, simulator: bool) -> JsonObject:
    text = _text(notes, _LONGEST_BLOCK, simulator=simulator)
    if len(notes) > 1:
        return {"text": text, "blocks": [_block("\n".join(in_short(notes, most=_LINES))), *_links(notes)]}
    (note,) = notes
    headline = f"{'Simulator: ' if simulator else ''}{HEADLINES[note.event]}"
    more = note.details() if note.waits else []
    about = [f"Asked for by {note.who}", f"Request {note.approval.id}"]
    if note.waits and note.waiting > 1:
        about.append(f"{note.waiting} requests wait")
    blocks = [
        {"type": "header", "text": _exactly(headline)},
        _block(note.summary),
        *([_block("\n".join(more))] if more else []),
        _block(note.standing()),
        {"type": "context", "elements": [_exactly(each) for each in about]},
        *([_block(note.where())] if note.waits else []),
        *_links(notes),
    ]
    return {"text": text, "blocks": blocks}


def _links(notes: Sequence[Note]) -> list[JsonObject]:
    """The one thing in a message that can be pressed: an address of ours, which leads to the page."""
    link = _link(notes)
    if link is None:
        return []
    written = f"<{escape_markup(link).replace('|', '%7C')}|Open it in a browser>"
    return [{"type": "section", "text": {"type": "mrkdwn", "text": written}}]


def _link(notes: Sequence[Note]) -> str | None:
    """Where one request is read, or all of them."""
    link = notes[0].link
    return link if link is None or len(notes) == 1 else link.rpartition("/requests/")[0]


def _block(text: str) -> JsonObject:
    return {"type": "section", "text": _exactly(text)}


def _exactly(text: str) -> JsonObject:
    """Show a text as it is: nothing in it is a link, a mention or a smiley."""
    return {"type": "plain_text", "text": _cut(text, _LONGEST_BLOCK) or " ", "emoji": False}


def _text(notes: Sequence[Note], limit: int, *, simulator: bool) -> str:
    """Write it in plain words; the link stands last, where it is found, and is never cut."""
    head = "Simulator, nothing of it is real: " if simulator else ""
    told = "\n".join(in_short(notes, most=_LINES)) if len(notes) > 1 else " ".join(notes[0].sentences())
    link = _link(notes)
    end = "" if link is None else f" {escape_markup(link)}"
    return _safe(f"{head}{told}", limit - len(end)) + end


def _safe(text: str, limit: int) -> str:
    """Write a text for chats that read links, mentions and tags in it."""
    apart = _MARKED.sub(rf"\g<0>{_APART}", text)
    written = escape_markup(apart)
    while len(written) > limit:
        # an escape is never cut in two: what is cut is the text
        apart = _cut(apart, min(len(apart) - 1, len(apart) * limit // len(written)))
        written = escape_markup(apart)
    return written


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
