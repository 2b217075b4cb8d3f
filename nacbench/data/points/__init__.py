"""Point clouds: their task, recipe, tokenizer, augmentation, generators and readers."""
