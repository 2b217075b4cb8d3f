"""One run: configuration, identity, training and evaluation, failures, and reproduction of recorded runs."""
