"""What a run leaves: its record, store, claims, predictions; an index, and moving runs between stores."""
