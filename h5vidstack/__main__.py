"""``python -m h5vidstack``."""

from .cli import main

main()
