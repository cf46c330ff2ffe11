"""What is ruled on, and how: a call and who makes it, what it would do, what the operator forbids, what came of it."""
