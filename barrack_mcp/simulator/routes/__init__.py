"""What the fake Barrack answers, one module a group."""
