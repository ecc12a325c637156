"""Frames out of stacks: images, arrays, video files, contact sheets, pictures."""
