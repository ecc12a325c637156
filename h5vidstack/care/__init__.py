"""Is a stack sound, and what can be saved of one that is not."""
