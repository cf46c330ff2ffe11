"""What barrack-mcp promises: one row a promise. Tests name theirs with `@pytest.mark.promise`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """A stimulus and what must hold under it."""

    id: str
    stimulus: str
    promise: str


PROMISES = (
    Promise("G1", "every asking operation, nobody can be asked", "an approval request or a refusal; 0 effects"),
    Promise("G2", "a yes: the right name, or a tick; through the client or out of band", "exactly 1 effect"),
    Promise("G3", "every other answer, and silence", "0 effects, each with its own sentence"),
    Promise("G4", "one yes redeemed 20 times in sequence and at once", "1 effect"),
    Promise("G5", "a yes for one call used for another, or for another API or key", "0 effects"),
    Promise("G6", "before, at and after the time limit; another key", "good only before, and where its key is known"),
    Promise("G7", "the target changes between question and answer", "refused, saying so; 0 effects"),
    Promise("G8", "10,000 mutated and 200 invented seals", "0 accepted, 0 crashes"),
    Promise("G9", "every schema and every refusal", "no argument confirms; no refusal teaches a way round"),
    Promise("G10", "the caller's own words", "the question holds none of them and at most 800 characters"),
    Promise("G11", "read-only; every tool by name", "only reads are listed and run; nothing but reads reaches the API"),
    Promise("G12", "50 steps: 45 reads, 3 changes, 2 deletions", "2 questions"),
    Promise("G13", "a protected name or id", "refused before anybody is asked, whatever the approval"),
    Promise("G14", "purchases beyond the hourly limit or below the runway", "refused; 0 effects"),
    Promise("G15", "stop, hibernate, delete, resize, restore, attach a firewall", "the plan says what is overlooked"),
    Promise("P2", "the record: each byte flipped, lines dropped, swapped, cut; 8 writers", "the break is located"),
    Promise("P4", "the manifests made anew; the list twice, and after many calls", "byte-identical"),
)
