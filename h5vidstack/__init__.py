"""h5vidstack: large stacks of similar images in one exact, small HDF5 file.

Importing it registers the HDF5 filter, so that h5py reads and writes such files,
and changes nothing else.
"""

from . import startup  # noqa: F401  # isort: skip  # before all others: Ctrl-C meanwhile
from ._version import __version__
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
from .export import Exported, export
from .filter import FILTER_ID, Video
from .filter import last_error as filter_error
from .groups import Group
from .linking import Linked, link
from .packer import PackReport, pack
from .reader import Stack, open
from .recorder import Recorder, create
from .recovery import Recovery, check
from .references import references
from .repack import RepackReport, repack
from .salvage import Salvage, recover
from .search import Match
from .sinks import unpack
from .verification import verify
from .workers import Step

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
