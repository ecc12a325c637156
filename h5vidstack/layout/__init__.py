"""The names inside an HDF5 file that holds a stack: read, written, checked, replaced."""
