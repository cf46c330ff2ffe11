"""From what the API said to what a model reads."""
