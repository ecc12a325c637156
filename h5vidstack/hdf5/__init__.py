"""HDF5 itself: the filter, opening files here and far away, chunk bytes, virtual datasets."""
