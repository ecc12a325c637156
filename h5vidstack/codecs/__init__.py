"""Pixels to the bytes of a block, and back."""
