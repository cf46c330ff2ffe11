"""A contract out of what the sources say: made one, written down for a person, and as a bundle for this project."""
