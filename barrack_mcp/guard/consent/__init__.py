"""How a person's yes is got, held to what was shown, and used up: through the client, or out of band."""
