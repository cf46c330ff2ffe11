"""The only way out: requests to the Barrack API, and what its answers mean."""
