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
    Promise("G16", "the longest, most and most hostile arguments and things", "all that matters is shown, or refused"),
    Promise(
        "G17",
        "many narrow rules, IPv6, protocols however spelled, through rule, firewall, attachment, deployment, restore",
        "nothing ends open wider than docs/approvals.md says without a yes that said so",
    ),
    Promise("G19", "what a plan said is kept goes, or the sum moves, before the yes is used", "asked anew; 0 effects"),
    Promise("G18", "50 purchases at once, two processes", "no limit passed; what was checked is what was sent"),
    Promise("G21", "the state lost, moved, copied, set back, unwritable", "a sealed yes is good once or not at all"),
    Promise("G20", "a protected thing whose name is unread, cut off, told by id or in another form", "refused"),
    Promise("G22", "every yes and every no, each way of asking", "the record holds the plan shown, and who agreed how"),
    Promise(
        "G23",
        "a client closes the question, or declines it sooner than anybody can read it; both eras",
        "0 effects; out of band where both ways are open, else refused; no person is said to have declined",
    ),
    Promise(
        "G24",
        "a call at a terminal, while a request for the same call waits elsewhere",
        "its person is asked there, and that answers the request; 1 effect at most, however many say yes",
    ),
    Promise("G25", "a question or a call that takes long, with a progress token", "told every 10 s, numbers rising"),
    Promise("N1", "any text in every string argument", "one path segment a placeholder, or nothing is sent"),
    Promise("N2", "connection refused twice, then good; each write", "1 effect, 3 attempts at most"),
    Promise("N3", "an answer lost after the effect, in each way; each write", "1 effect, sent once: done, or unknown"),
    Promise("N4", "500, 502, 503, 504, stall, reset twice, then good; each read", "answered, 3 attempts at most"),
    Promise("N5", "429 with every kind of Retry-After", "waits within the deadline, or says how long to wait"),
    Promise("N6", "100 calls while the API is down", "140 requests at most, then fails fast"),
    Promise("N7", "headers then silence; a byte at a time; endless", "ends with the time of the call, a typed error"),
    Promise(
        "N8", "HTML, wrong types, 50 MB, a million rows, deep nesting", "a typed error; memory grows by under 64 MB"
    ),
    Promise("N9", "a call without an answer, made again", "held back until the read that tells has been made"),
    Promise("N10", "404 of an unverified path, every operation", "failed with what mends it; 0 effects"),
    Promise(
        "N11",
        "a server starts; the API closes, dies, is down or untrusted before the first call; both transports of it",
        "1 connection ahead and none by the call; a write by none that was silent for longer than any other may be",
    ),
    Promise(
        "N12",
        "more than one answer to a request, after one without a body, in chunks, with TLS",
        "never the next request's answer; that is sent once, on a connection of its own",
    ),
    Promise("R1", "10,000 broken frames on stdio", "alive; each id answered; memory under 150 MB"),
    Promise(
        "R3",
        "500 calls at once, by one caller and by several; 200 idle connections; what is too long, too slow, too much",
        "16 at the API, 256 wait, the rest is told busy; callers take turns; who comes next is answered",
    ),
    Promise(
        "R6", "cancelled in a read, in a sent write; the client gone", "the read ends at once; the write is recorded"
    ),
    Promise(
        "R2", "foreign, absent and malformed Host and Origin, another port", "turned away; each loopback address served"
    ),
    Promise(
        "H1", "no token, a wrong one, two, another scheme, in the query, of one taken out", "401; 0 requests to the API"
    ),
    Promise(
        "R4",
        "a token of the identity provider: expired, for others, unsigned, signed by others, in the query, twice",
        "401 with where to get one, 403 where it is good for too little; 0 requests to the API",
    ),
    Promise("R5", "two callers ask for the same over HTTP and SSE, in both eras", "each has a request of their own"),
    Promise(
        "H2",
        "two callers with two keys, 500 calls interleaved, approvals in between; three who buy, grow and delete",
        "each sees and spends its own alone",
    ),
    Promise(
        "H5",
        "requests asked, answered and used by several processes, in floods and over restarts; a dead chat; any name",
        "a chat is told each thing once, no name becomes a link or a mention, and no call waits for it",
    ),
    Promise(
        "H3",
        "who asks, or is no approver, says yes on the page; who asks says it through their client",
        "refused; 0 effects",
    ),
    Promise(
        "R10",
        "the state, the record, the key, the API broken in turn; 40 probes at once; a drain",
        "/ready names which, and nothing else; one request to the API in 15 s",
    ),
    Promise(
        "R11",
        "calls of every outcome, by callers, with ids, names and secrets in them",
        "/metrics counts each once and holds none of them; one reading of what all costs a minute",
    ),
    Promise(
        "H4",
        "the shared state slow, gone, started anew, empty, set back, handed over, full",
        "reads go on, writes are refused in seconds, no yes is good twice",
    ),
    Promise(
        "P6",
        "a question asked by one server and answered at another, one killed in between, 200 answers at once at two",
        "the yes is honoured once, by one",
    ),
    Promise("H6", "1,000 calls by two servers that share a Redis", "at the API 400 in any minute, both together"),
    Promise(
        "H7",
        "each guarded operation, by a client's person and out of band, with budget and lease; each change, each read",
        "waits for Redis at most 4 times until the question and 4 after the yes; a read twice",
    ),
    Promise("R7", "arguments made from the schemas, good and bad; each tool", "no good one rejected, no bad one sent"),
    Promise("R12", "refusals by the headers alone, behind a proxy", "the request is heard out first, within bounds"),
    Promise(
        "R14",
        "a call over HTTP of the newer era: soon answered, long, given up, or told on its way",
        "answered as the SDK alone does it; what lasts is shown to live, and ends when its client goes",
    ),
    Promise("R13", "each file by which it is run for a team", "names what there is; no rights, no secret, time to end"),
    Promise("R8", "the longest, deepest, most numerous of every argument", "refused or answered in bounds; none waits"),
    Promise(
        "R9",
        "lists told as longer in every way an API may; a no in a success, in every shape; what says neither",
        "never taken for complete; never done, never data; why is told",
    ),
    Promise(
        "S1", "the key echoed, every layer broken, DEBUG logs, tracebacks, repr", "0 occurrences, wherever we write"
    ),
    Promise("S2", "every layer made to raise with the key in its text", "Internal error and an id, alike in both eras"),
    Promise("S3", "redirects to another host, absolute URLs", "not followed; no request to another host"),
    Promise("S4", "private keys, passwords, cloud-init, scripts as arguments", "refused, or never recorded or logged"),
    Promise(
        "S5",
        "control, bidi, zero-width and tag characters, Markdown, HTML, 10 kB, in every text",
        "visible, no link, capped; scripts whole",
    ),
    Promise("P1", "the end of input, signals, kill -9; idle and in mid-write", "exit 0 after what was sent; an intent"),
    Promise(
        "P2",
        "the record, or each of a folder's: each byte flipped, lines dropped, swapped, cut; 8 writers",
        "the break is located, and told beside the records that are whole",
    ),
    Promise("P3", "every write", "the record says who, what, for which request, how it was confirmed, what came of it"),
    Promise("A1", "every answer of every tool", "each field stands in the tool's schema; all tools under 106 kB"),
    Promise("A2", "every optional argument sent empty", "as if not given; refused or asked where that says something"),
    Promise("A3", "every yes, every way of asking, and none", "told who agreed; what waits says where to say yes"),
    Promise("A4", "what assistants are asked every day, by a script", "the least calls; nobody guesses"),
    Promise("A5", "add and remove, on and off, in every state of the thing", "what was wished, and told; or nothing"),
    Promise("A6", "every change that is done", "told what to wait for, what it costs now, what is missing; no more"),
    Promise(
        "M4",
        "waiting for each kind of thing: done, failed, late, cancelled",
        "8 requests in three minutes at most; a usual end is seen within 1 s; nothing is asked after a cancel",
    ),
    Promise("P8", "every schema, by the rules of each family of clients", "no rule is broken"),
    Promise("P4", "the manifests made anew; the list twice, and after many calls", "byte-identical"),
    Promise("P12", "every client, files of every kind", "what is another's stays; the key is never written or told"),
    Promise("P14", "every command that a page shows, a page's in order in one shell", "ends and shows as told there"),
    Promise("U1", "help, the record, what is too long, at 60 to 120 columns", "fits; no word is broken, no JSON"),
    Promise("U3", "a silent API; a wrong flag", "told by all the time and tries, what was typed, and what to do"),
    Promise("U2", "Ctrl-C once at each question; neither yes nor no", "ends, nothing approved; asked once more"),
    Promise("P11", "every tracked file, and all that is generated", "nothing fetches a package of our name"),
    Promise(
        "L2", "learning from each source, refused, throttled, deceived", "GET, HEAD, OPTIONS; 200 requests; 0 effects"
    ),
    Promise(
        "L1",
        "documents and sites made up, and every source against every other",
        "no read changes anything, no key leaves its site, no secret is shown, nothing counts before a person says so",
    ),
    Promise(
        "L3",
        "whatever a contract says is documented of arguments",
        "held to before anything is sent; nothing we refuse is taken, no secret shown, tools grow by under 40 %",
    ),
    Promise("L4", "every operation over the simulator in the learned spelling", "the effects of the shipped one"),
    Promise("V1", "each operation, odd call and fault, in process and over a socket", "one answer, request and effect"),
    Promise("V2", "a page of machines or volumes, of few and of many, filtered or not", "no more steps out of many"),
    Promise("V3", "first words over stdio, odd, torn or many; each surface and revision", "the house's own answers"),
    Promise("V4", "one read by many at once, over HTTP", "one request a caller, its rights and key; not past a change"),
    Promise("V5", "a start over stdio up to its first answer", "nothing is loaded before its turn, or without use"),
    Promise("M3", "reaping killed at each request, run again, by two at once", "one effect a machine, told"),
    Promise("M1", "random months of an account", "burn, spent by dates and runway are those of the books, to 0.01"),
    Promise("M2", "every purchase over every limit, at another price, many at once", "no limit passed; asked anew"),
)
