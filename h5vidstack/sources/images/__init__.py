"""Frames from image files.

`image_source` opens files and folders of images, also of TIFFs, whose own frames are in the package
`tiff` beside this one. `image_formats` has the tables of what is read. The formats have their
parsers in `png`, `jpeg`, `gif`, `bmp` and `webp`; these find an `image_header`. `image_decoders`
decodes what they keep of a file, by Pillow or FFmpeg.
"""
