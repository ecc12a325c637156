"""The names inside an HDF5 file that holds a stack: read, written, checked, replaced.

Only this package knows them (spec/format.md, "Layout"). `names` has the names and reads tables
and attributes; `piles` finds the datasets that hold the frames, also in other files; `stack_group`
opens a whole stack, and `consistency` says where its tables contradict each other. `writer` writes
a stack. `metadata_names`, `metadata_reading` and `metadata_writing` are of what is known besides
pixels, and `column_values` of how its values are stored. `output` makes files that appear only when
they are complete; `replacing` says what of a file may be replaced, and keeps what others put into
it.
"""
