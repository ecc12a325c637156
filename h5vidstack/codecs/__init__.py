"""Codecs turn frames into the bytes of a block, and back.

A *block* is a self-contained run of coded frames, and the bytes of one HDF5 chunk. `block` codes
frames as a block by a `recipe`, and decodes them. It takes four steps, each in a module of its
own. `value_map` turns pixels into values of as few bits as possible. `transforms` turns channels
into components and subtracts predictions. A codec turns the values of a stream into packets. And
`block_format` lays headers and packets out as bytes, and checks them when they are read.

`codec` says what a codec is, and `registry` is the table of all of them and of their presets. Each
codec has a file: `raw`, `deflate`, `lzma`, and `lpc` with its stand-in `lpc_numpy`; and `x264`,
`ffv1` and `mpeg4`, which are run by `av_engine`. `av_planes` gives access to the samples of PyAV's
pictures, and `h264` to the units of H.264 packets.

`loss` measures how far decoded frames are from their input. `projection` makes frames of principal
components.
"""
