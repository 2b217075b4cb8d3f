"""Seeds as hashes of named factors, so that adding a factor never moves the draws of another."""

import hashlib


def seed_for(*factors: str | int) -> int:
    """A seed in [0, 2**63) that depends on all factors and their order, and on nothing else.

    ``seed_for(run_seed, "augment", step)`` gives every step's augmentation its own stream, on every machine alike.
    """
    text = "\x1f".join(f"{type(factor).__name__}:{factor}" for factor in factors)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
