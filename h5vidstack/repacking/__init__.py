"""Whole HDF5 files: their image stacks coded, or plain again."""
