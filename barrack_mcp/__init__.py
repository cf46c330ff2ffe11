"""The MCP server for the Barrack AI GPU cloud. One call walks one corridor, left to right, once.

    cli ──▶ transports ──▶ server ──▶ dispatch ──▶ guard ──▶ account ──▶ api ──▶ network | simulator
    argv    stdio, http,   MCP's      the          plan,     what        the only
            sse            words      corridor     decide,   there is    way out
                                      itself       ask       and costs

What is read by all and reads nobody stands below: `catalogue` (pure data: operations, kinds, risks). What outlives a
call stands beside: `state` (store, record, files). `config` reads the settings, once. `simulator` is a fake Barrack
that imports nothing of ours. `tests/test_house.py` holds the walls; CONTRIBUTING.md says where things are.
"""

__version__ = "0.1.0"
