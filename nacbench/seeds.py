"""Derived random seeds: hashes of named factors, so that a new random stream never changes the existing ones."""

import hashlib


def seed_for(*factors: str | int) -> int:
    """Return a seed in [0, 2**63) that depends on the factors and their order alone, equal on every machine.

    For example, ``seed_for(run_seed, "augment", step)`` gives the augmentation of every step a stream of its own.
    """
    # Type and separator keep ("1", 2), (1, "2") and ("12",) apart. Not hash(): Python salts it per process.
    text = "\x1f".join(f"{type(factor).__name__}:{factor}" for factor in factors)
    # 63 bits: torch and NumPy both accept any non-negative int64
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
