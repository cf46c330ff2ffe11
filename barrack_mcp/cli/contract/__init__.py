"""How the API is spelled: shown, compared with the vendor's own document, and mended by data."""
