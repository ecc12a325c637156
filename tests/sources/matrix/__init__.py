"""Generated input files of every kind, each read by us and by a decoder that is not ours.

`core` makes, reads and compares; the other modules each yield the cases of one kind of file.
`python -m matrix` in the folder above, or `make test-sources`, runs all of them.
"""

import os

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # read when it is imported

from . import arrays, hdf5, pictures, png, tiff, videos

KINDS = {
    "tiff": tiff.cases,
    "png": png.cases,
    "pictures": pictures.cases,
    "videos": videos.cases,
    "hdf5": hdf5.cases,
    "arrays": arrays.cases,
}
"""What yields the cases of each kind."""
