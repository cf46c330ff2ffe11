"""What a server over HTTP shows of itself to those who run it: request ids, readiness, metrics."""
