"""What was spent and what is being spent: bills cut at an instant, how an account stands, all of it in one look."""
