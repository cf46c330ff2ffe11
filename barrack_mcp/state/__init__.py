"""What outlives a call: the state shared by processes, the record, the files that only their owner reads."""
