"""Images: task, recipe, tokenizer, augmentation, corruptions and readers of data sets."""
