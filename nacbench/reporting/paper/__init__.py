"""What the paper says, as data, and what the runs say to it."""
