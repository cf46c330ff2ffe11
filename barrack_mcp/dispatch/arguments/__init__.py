"""From what a caller says to what the API takes: checked, names for ids, wishes fulfilled; nothing is sent here."""
