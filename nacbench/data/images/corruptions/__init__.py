"""Corruptions of images: those of Hendrycks and Dietterich 2019 (arXiv 1903.12261), and the suite's own for any size.

`published` has the published definitions, for images of 32, 64 and 224 pixels; `any_size` has the suite's own of the
same kinds, whose amounts are fractions of the side.
"""
