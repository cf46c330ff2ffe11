"""Stdio: what a frame is, how bytes come and go, and one client served until it goes or a signal comes."""
