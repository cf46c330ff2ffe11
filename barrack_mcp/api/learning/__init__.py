"""Learning how the API is spelled: its documentation site, its own document, its root and its addresses, read only.

Every source gives `Found`: operations as an OpenAPI document would have them, each with the page or address it comes
from. Nothing learned counts before a person says so.
"""
