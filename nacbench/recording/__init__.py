"""Results of runs on disk: record, store, claims (locks), predictions, index, and transfer between stores."""
