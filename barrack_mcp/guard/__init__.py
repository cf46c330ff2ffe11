"""Between a model that may be wrong and machines that cost money: decides whether a call may go on.

`guard` walks a call through: `decide` says what it takes, by what `plans/` read that it would do (`exposure`: what it
opens); `ruling/` has the call, the limits that no yes passes, and what came of it, and holds its last look in its
account's turn (`turns`). `consent/` gets a person's yes: through the client, put as `asking/` has it, or out of band,
kept in `approvals/` and given on the `page/` or at a terminal (`passphrase`). `opening` opens what all that stands on.
"""
