"""Sequences of symbols or bytes: task, tokenizer, and ListOps (generator, evaluation, reader)."""
