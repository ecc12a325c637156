"""What a failure inside HDF5 means: a damaged file, a refusal of the system, or a bug of ours."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator

import h5py

from ..errors import AccessError, Error, FormatError
from .filter import last_error

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

_RAISED = (OSError, RuntimeError, LookupError, TypeError, ValueError, MemoryError)
"""What h5py raises on a damaged file. It asks for memory before it finds that a size is wrong."""

_LOCKS = (
    "this file system has no locks (NFS and Lustre may have none); set the environment variable "
    "HDF5_USE_FILE_LOCKING=FALSE before Python starts"
)
_SPACE = "make room on the disk, or write elsewhere"
_PERMISSION = "ask for the permission (ls -l shows it, chmod and chown change it)"
_LARGE = "files may not be so large here: raise the limit (ulimit -f), or write elsewhere"
_CURES = {
    errno.EMFILE: "",  # see _open_files
    errno.ENFILE: "all programs of this machine together have too many files open; end some",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.ENOLCK: _LOCKS,
    errno.ENOSPC: _SPACE,
    errno.EFBIG: _LARGE,
    errno.EROFS: "this disk can only be read; write elsewhere",
    errno.ENOMEM: "the machine has too little memory; end other programs",
    getattr(errno, "EDQUOT", -1): _SPACE,
    getattr(errno, "ESTALE", -2): (
        "the file was replaced or removed on the server meanwhile; open it again"
    ),
}
"""What helps, by the number of an error of the system that says nothing about the file's bytes."""


OF_WRITING = frozenset(
    {errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}
)
"""The numbers of errors of the system that only writing meets, whatever else was being read."""


class DamageError(FormatError):
    """What a file holds cannot be read, or contradicts itself; `damage_as_error` names the file."""


def cure(number: int | None) -> str | None:
    """Return what helps against an error of the system; None if it may be the file's fault."""
    if number == errno.EMFILE:
        return _open_files()
    return _CURES.get(number or 0)


def _open_files() -> str:
    count = h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
    limit = "" if resource is None else f" of {resource.getrlimit(resource.RLIMIT_NOFILE)[0]}"
    return (
        f"this process has reached its limit{limit} open files, {count} of which are HDF5 files; "
        "close some, or raise the limit before it starts (ulimit -n 65536)"
    )


def error_number(error: BaseException) -> int | None:
    """Return the system's number of an error, if it has one."""
    number: int | None = getattr(error, "errno", None)
    if number is None and (found := re.search(r"errno = (\d+)", str(error))):
        return int(found[1])  # some errors have it only in HDF5's words
    return number


def check_system(error: BaseException, name: str) -> None:
    """Raise AccessError if the system refused something, and the file may be sound."""
    number = error_number(error)
    helps = cure(number)
    if number is not None and helps is not None:
        raise AccessError(name, number, helps) from error


@contextlib.contextmanager
def system_errors(name: str) -> Iterator[None]:
    """Turn what the system refuses into an AccessError, and let other errors pass."""
    try:
        yield
    except Error:
        raise
    except (OSError, RuntimeError) as error:
        check_system(error, name)
        raise


@contextlib.contextmanager
def hdf5_errors(name: str) -> Iterator[None]:
    """Turn what h5py raises on a damaged file into DamageError.

    Only errors that were raised inside h5py are: the same kinds of error raised by our own code
    are bugs, and pass. HDF5 calls our filter, too, and h5py then raises an error of its own; if the
    filter's was a bug or an interrupt, that is raised again.

    Parameters
    ----------
    name
        What is read, for an AccessError.
    """
    before = last_error()
    try:
        yield
    except Error:
        raise
    except _RAISED as error:
        in_filter = last_error()
        if in_filter is not None and in_filter is not before and not isinstance(in_filter, Error):
            raise in_filter from error
        check_system(error, name)
        if not _raised_by_h5py(error):
            raise
        raise DamageError(str(error) or type(error).__name__) from error


@contextlib.contextmanager
def damage_as_error(name: str) -> Iterator[None]:
    """Turn what h5py raises on a damaged file, and DamageError, into a FormatError with a name."""
    try:
        with hdf5_errors(name):
            yield
    except DamageError as error:
        raise FormatError(f"{name} is damaged: {error}") from error


def _raised_by_h5py(error: BaseException) -> bool:
    """Whether the last code of h5py's or ours that ran before an error was h5py's."""
    last, trace = "", error.__traceback__
    while trace is not None:
        package = str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0]
        if package in ("h5py", _OURS):
            last = package
        trace = trace.tb_next
    return last == "h5py"


_OURS = __name__.partition(".")[0]
