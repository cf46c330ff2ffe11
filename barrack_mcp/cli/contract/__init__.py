"""The contract at a terminal: shown, learned, compared with the vendor's document, adopted, exported."""
