"""The version of the package; the format has its own, in layout.py."""

__version__ = "0.2.0"
