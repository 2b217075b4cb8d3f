"""The paper's claims and published figures, compared with runs."""
