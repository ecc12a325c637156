"""h5vidstack: large stacks of similar images in one exact, small HDF5 file.

Importing it registers the HDF5 filter, so that h5py reads and writes such files, and changes
nothing else: it installs no handlers but the one by which the filter flushes open files when
Python ends (see `h5vidstack.hdf5.filter`). The names in ``__all__`` are public, and those of
`h5vidstack.integrations`; all others may change.
"""

from ._version import __version__
from .bulk.many import pack_many, repack_many
from .bulk.outcomes import BulkReport, FileResult, FileState
from .care.fidelity import Fidelity, check
from .care.remapping import remap
from .care.salvage import Recovered, recover
from .care.verification import verify
from .codecs.noise import NoiseLoss, NoiseModel
from .errors import (
    AccessError,
    BlockError,
    ClosedError,
    Error,
    FileChangedError,
    FormatError,
    MetadataError,
    MissingError,
    NotExactError,
    OutputError,
    QueryError,
    RemoteError,
    RemoteWarning,
    SelectionError,
    SourceError,
    UnsupportedError,
    WorkerError,
)
from .hdf5.filter import FILTER_ID, Video
from .hdf5.filter import last_error as filter_error
from .integrations.kerchunk import references
from .metadata.coordinates import Coordinate
from .metadata.files import FileRecord
from .metadata.words import Words
from .pool import Step
from .reading.groups import Group
from .reading.listing import stacks
from .reading.search import Match
from .repacking.repacker import RepackReport, repack
from .sinks.unpacking import Unpacked, unpack
from .sinks.video_export import Exported, export
from .stack import Stack, open
from .writing.estimation import Estimate, estimate
from .writing.linking import Linked, link
from .writing.pack_options import PackOptions
from .writing.packer import PackReport, pack
from .writing.recorder import Recorder, create

__all__ = [
    "FILTER_ID",
    "AccessError",
    "BlockError",
    "BulkReport",
    "ClosedError",
    "Coordinate",
    "Error",
    "Estimate",
    "Exported",
    "Fidelity",
    "FileChangedError",
    "FileRecord",
    "FileResult",
    "FileState",
    "FormatError",
    "Group",
    "Linked",
    "Match",
    "MetadataError",
    "MissingError",
    "NoiseLoss",
    "NoiseModel",
    "NotExactError",
    "OutputError",
    "PackOptions",
    "PackReport",
    "QueryError",
    "Recorder",
    "Recovered",
    "RemoteError",
    "RemoteWarning",
    "RepackReport",
    "SelectionError",
    "SourceError",
    "Stack",
    "Step",
    "Unpacked",
    "UnsupportedError",
    "Video",
    "Words",
    "WorkerError",
    "__version__",
    "check",
    "create",
    "estimate",
    "export",
    "filter_error",
    "link",
    "open",
    "pack",
    "pack_many",
    "recover",
    "references",
    "remap",
    "repack",
    "repack_many",
    "stacks",
    "unpack",
    "verify",
]
