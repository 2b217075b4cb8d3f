"""Reports of finished runs: tables, figures, verdicts on the paper's claims, and an HTML page; does not need torch."""
