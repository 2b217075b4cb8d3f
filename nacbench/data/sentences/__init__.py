"""Images with a sentence: their task, tokenizer, generators and readers."""
