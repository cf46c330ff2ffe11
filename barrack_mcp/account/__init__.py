"""What an account has, what it costs and what its credit lasts, each read in one way."""
