"""Publish trained networks and data sets: folders for the Hugging Face hub, model cards, data cards, Croissant."""
