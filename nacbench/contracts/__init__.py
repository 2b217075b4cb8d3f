"""What the author of a plug-in reads: what a task and a model must offer, and what passes between them."""
