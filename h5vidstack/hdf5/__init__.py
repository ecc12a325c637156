"""HDF5 itself: its filters, open files, chunk bytes, virtual datasets and errors.

Nothing here knows how a stack is laid out. `filter` registers our filter, so that h5py reads and
writes blocks; `standard_filters` does the work of HDF5's own filters safely and in threads, and
`required_filters` names the package that brings a missing one. `opening` opens files of this
machine and URLs; `remote` fetches the bytes behind a URL, and `remote_pages` keeps the pages of
them that HDF5 reads. `chunk_bytes` gives the stored bytes of a chunk, here and far away.
`virtual` makes and reads virtual datasets. `failures` tells damage from what the system refuses.
"""
