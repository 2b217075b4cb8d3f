"""Tables, figures, claims and one page from finished runs; reads files only, and needs no torch."""
