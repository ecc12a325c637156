"""Frames from HDF5 files.

`datasets` opens datasets and stacks. `storage` sees that all pixels of a dataset are there, also
those in other files. `links` follows the links and names that lead to these, and lists what a file
holds.
"""
