"""Outputs of stacks: images, arrays, plain datasets, video files and pictures for people.

`unpacking` writes frames to images, multi-page TIFF, NumPy arrays and plain HDF5 datasets, or to a
pipe. `video_export` writes a video file. `contact_sheet` draws the piles of a stack. `pictures`
draws principal components, and frames beside their input.
"""
