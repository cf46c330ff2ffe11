"""Writes: sent once, written down before and after, and looked up where no answer came."""
