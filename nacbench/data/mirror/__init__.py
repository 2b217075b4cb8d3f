"""How files are got, checked, read in and kept; nothing here can change a number."""
