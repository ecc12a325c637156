"""Frames into files: pack, append, record, link.

`packer` has `pack`: it opens a source and an output, has one kind of packing do the work, and
reports. `pack_options` is the table of all options with their checks, `option_texts` what is said
of one, and `option_signatures` gives functions their options. `packing` is the interface of the
kinds of packing: `pile_packing` (video, plain chunks, differences), `pca_packing`, of which `pca`
does the mathematics, and `packet_packing` (copied packets).

`estimation` has `estimate`, which tells what `pack` would give: `excerpts` reads some frames,
`sampled_coding` codes them, and `keeping` says what of the metadata is kept.

`survey` looks at every frame first, `coders` turn tiles of frames into chunks, `pile_encoder` runs
them and writes their chunks in order, `crew` and `cluster` do the work in threads or in workers
elsewhere, and `journal` keeps it for a run that resumes. `appending` reads the stack that frames
are added to, `recorder` and `live` record frames as they come, `linking` makes one stack of
several, and `provenance` says in a file how it was made.
"""
