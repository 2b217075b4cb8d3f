"""Small formats: files that others may have written, dotted keys, and text escaped for each reader."""
