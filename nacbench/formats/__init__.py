"""Small formats: reading files that others may have written, dotted keys, and text for people."""
