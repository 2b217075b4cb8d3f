"""The live page of `nacbench watch`: what runs of a folder or sweep do, from their files alone."""
