"""What makes frames alike: hashes, thumbnails, order."""
