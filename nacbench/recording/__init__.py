"""What a run leaves: its record, the store of records, and statistics over them."""
