"""The server in a client's own file: what is in it stays, the old file is kept, the key is never written."""
