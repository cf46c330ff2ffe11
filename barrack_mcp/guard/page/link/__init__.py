"""The page on loopback, whose entry is a link that only the owner of the machine can make."""
