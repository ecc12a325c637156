"""Sources give the frames of every kind of input in one form.

`source` says what a source is. `openers` has the tables of all kinds and `open_source`, which goes
through them. A source has one of two forms: `array_source` for all that has slices, `frame_source`
for frames that come one after another. `objects` opens arrays, readers and iterables, and
`foreign_arrays` makes their pixels numpy's. `npy` opens files of numpy. The other kinds of files
have packages of their own: `tiff`, `images`, `video` and `hdf5_files`.

`file_names` finds what a name means, and sorts names. `headers` proves that frames are what a
file's header states, and `second_decoders` reads images by other libraries as a further proof.
`spool` keeps frames that come only once. `overlap` sees that no output overwrites its own source.
"""
