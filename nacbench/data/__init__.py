"""Data sets by modality (images, points, sentences, sequences): readers, generators, tokenizers; and their mirror."""
