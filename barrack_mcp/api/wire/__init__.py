"""How the API is spelled: as the catalogue guessed it, mended by data, compared with the vendor's own document."""
