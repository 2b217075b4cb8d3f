"""Data by modality: a folder each with its task, recipe, tokenizer and readers; and how files are got and kept."""
