"""Copies of whole HDF5 files, with their image stacks as coded video or as plain pixels again.

`repacker` has the one public function, `repack`. `candidates` finds the datasets that are stacks
of images. `conversion` is the interface of both directions: `to_video` codes datasets with the help
of `filtered`, and `to_plain` decodes them. `file_copy` copies everything else object by object, and
`file_comparison` compares the result with the source. Both walk through a file by `tree`, and move
values by `values`, which calls HDF5 itself where h5py would change them.
"""
