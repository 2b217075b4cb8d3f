"""Ways to score a network that another run has trained: on shifted data, and adapted to a few examples."""
