"""Similarity of frames: how alike frames are found, and put side by side.

`fingerprints` computes the CRC-32, the image hashes and a small feature of each frame.
`thumbnails` shrinks many images at once for the hashes. `ordering` chains similar frames and cuts
the chain into piles, the groups of similar frames that are packed together.
"""
