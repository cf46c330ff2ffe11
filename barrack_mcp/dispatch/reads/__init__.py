"""What only looks: lists, stock with its prices, machines with their firewalls, quotes held against the limits."""
