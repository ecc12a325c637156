"""Frames into files: pack, append, record, link."""
