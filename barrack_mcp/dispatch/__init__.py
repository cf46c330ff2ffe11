"""The corridor that every call walks once: look up, validate, guard, send, present.

`dispatcher` walks it; `arguments/` says what a `call` means; `reads/` answer what only looks; `writes/` put a change to
the guard, send what passed and look what came of it; `answers/` make a model's words of what the API said. Tools of our
own are `insights` and `waits`; `reaping` calls without a caller. `ending` counts, `witness` writes down.
"""
