"""Images: their task, recipe, tokenizer, augmentation, corruptions and readers."""
