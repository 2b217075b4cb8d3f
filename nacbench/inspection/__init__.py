"""Looking at a finished run: its circuit, what depends on sentences, attention, and their pictures."""
