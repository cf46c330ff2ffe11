"""How calls come in: stdio, streamable HTTP and SSE on loopback.

Nothing is loaded here: over stdio a client is greeted before the house is there.
"""
