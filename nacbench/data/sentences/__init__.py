"""Images with a sentence (NLVR, NLVR2, synthetic scenes): task, tokenizer, generator and readers."""
