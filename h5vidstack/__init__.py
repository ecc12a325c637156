"""h5vidstack: large stacks of similar images in one exact, small HDF5 file.

Importing it registers the HDF5 filter, so that h5py reads and writes such files,
and changes nothing else.
"""

from . import startup  # noqa: F401  # isort: skip  # before all others: Ctrl-C meanwhile
from ._version import __version__
from .care.fidelity import Recovery, check
from .care.salvage import Salvage, recover
from .care.verification import verify
from .errors import (
    BlockError,
    ClosedError,
    Error,
    FormatError,
    MissingError,
    NotExactError,
    OutputError,
    QueryError,
    RemoteError,
    SelectionError,
    SourceError,
    UnsupportedError,
    WorkerError,
)
from .hdf5.filter import FILTER_ID, Video
from .hdf5.filter import last_error as filter_error
from .integrations.kerchunk import references
from .pool import Step
from .reading.groups import Group
from .reading.search import Match
from .repacking.repacker import RepackReport, repack
from .sinks.unpacking import unpack
from .sinks.video_export import Exported, export
from .stack import Stack, open
from .writing.linking import Linked, link
from .writing.packer import PackReport, pack
from .writing.recorder import Recorder, create

__all__ = [
    "FILTER_ID",
    "BlockError",
    "ClosedError",
    "Error",
    "Exported",
    "FormatError",
    "Group",
    "Linked",
    "Match",
    "MissingError",
    "NotExactError",
    "OutputError",
    "PackReport",
    "QueryError",
    "Recorder",
    "Recovery",
    "RemoteError",
    "RepackReport",
    "Salvage",
    "SelectionError",
    "SourceError",
    "Stack",
    "Step",
    "UnsupportedError",
    "Video",
    "WorkerError",
    "__version__",
    "check",
    "create",
    "export",
    "filter_error",
    "link",
    "open",
    "pack",
    "recover",
    "references",
    "repack",
    "unpack",
    "verify",
]
