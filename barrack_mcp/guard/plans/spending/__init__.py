"""What is bought when something is made, grown or woken, as a person is asked about it."""
