"""What a write was about, read before and after it, and judged: so that nobody has to guess what came of it."""
