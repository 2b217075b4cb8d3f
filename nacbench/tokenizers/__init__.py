"""Raw input to tokens, one module a modality, shared by all models."""
