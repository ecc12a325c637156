"""Compare ways to keep a stack: ours, and those that others use."""
