"""What the vendor answers in more than one group: bills and machines."""
