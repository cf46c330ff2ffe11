"""The store of many machines: one Redis that all servers share; to be imported where it is used alone."""

from barrack_mcp.state.store.redis.store import RedisStore

__all__ = ["RedisStore"]
