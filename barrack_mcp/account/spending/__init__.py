"""What was spent and what is being spent: bills cut at an instant, and the whole of an account in one look."""
