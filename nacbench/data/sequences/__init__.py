"""Symbols and bytes: their task, tokenizer, and ListOps."""
