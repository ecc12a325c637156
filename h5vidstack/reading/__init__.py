"""Packed stacks as arrays: indexing, decoding, caching, searching.

What ``stack[i]`` does, in order: `stack_reader` is the array that users index, and opens its file
when it must. `selection` reads the index as NumPy does, and says which part of which chunk goes
where in the result. `session` finds the chunks, in threads and by way of `block_cache`, and fills
the result. `chunk_grid` fetches the bytes of one chunk and gives them to the decoder,
`h5vidstack.codecs.block`. `stack_file` is what a session reads: an open file, here or remote, the
chunk grid of each pile, and the place of each frame.

Beside that path, `search` finds frames by their content, `groups` describes the piles, and
`summary` describes a whole stack for ``h5vidstack info``.
"""
