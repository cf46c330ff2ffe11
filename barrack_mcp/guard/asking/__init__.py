"""How a person is asked: what a plan tells them, the question that is put, and what counts as a yes to it."""
