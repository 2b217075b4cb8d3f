"""One run: its configuration, identity, computation, scores and failures, and doing it again."""
