"""The page for a team: below the server's public address, entered by a sign-in, and it knows who answers."""
