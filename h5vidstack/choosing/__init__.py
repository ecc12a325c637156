"""Which coding, and which order, the frames of a pile get."""
