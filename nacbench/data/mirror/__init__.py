"""Mirror of data sets: download, import, verify with checksums, unpack, and cache decoded arrays.

Nothing here decides a score, so a run's id does not cover this folder; the fingerprint of the data does.
"""
