"""Point clouds: task, recipe, tokenizer, augmentation, generators and readers of meshes."""
