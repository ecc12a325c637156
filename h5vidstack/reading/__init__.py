"""Packed stacks as arrays: indexing, decoding, caching, searching."""
