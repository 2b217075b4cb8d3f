"""The file system: files that appear whole, locks, and scratch whose owner can be told."""
