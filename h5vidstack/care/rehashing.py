"""Add hash tables to a stack that has none, or make them anew."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..errors import FormatError
from ..hdf5.failures import damage_as_error
from ..layout.names import SEPARATOR, split_target
from ..layout.output import edit_hdf5
from ..layout.stack_group import open_layout
from ..layout.writer import renew_uuid, write_hashes
from ..pool import Progress, Step, default_workers, in_order
from ..reading.stack_reader import StackReader
from ..similar.fingerprints import HASHES, hash_images
from ..sources.openers import open_source


def rehash(path: str | os.PathLike[str], *, progress: Progress | None = None) -> int:
    """Compute the hashes of all frames of a stack and store them in its file.

    The file is replaced by a complete new one, or left as it was.

    Parameters
    ----------
    path
        ``file.h5`` or ``file.h5::/path``.
    progress
        Called with a `Step` as it goes: frames done, and of all.

    Returns
    -------
    int
        Number of frames.

    Raises
    ------
    FormatError, BlockError
        If there is no stack, or a frame cannot be read.
    OutputError
        If the file cannot be replaced.
    """
    target, inner = split_target(path)
    workers = default_workers()
    parts = []
    with StackReader(target, inner, cache_bytes=0) as stack, edit_hdf5(target) as file:
        group = open_layout(file, stack.stack).group
        if group is None:
            raise FormatError(
                f"{target}{SEPARATOR}{stack.stack} is a bare dataset, which has no place for "
                "hashes; pack it as a stack to search it"
            )
        batches = open_source(iter(stack)).batches(stack.chunks[0])  # by its read-ahead
        with ThreadPoolExecutor(workers, "h5vidstack-hash") as pool:
            done = 0
            for part in in_order(pool, hash_images, batches, workers):
                parts.append(part)
                done += len(part[0])
                if progress is not None:
                    progress(Step(done, len(stack)))
        tables = map(np.concatenate, zip(*parts, strict=True))
        with damage_as_error(f"{target}{SEPARATOR}{stack.stack}"):
            if "hashes" in group:
                del group["hashes"]
        write_hashes(group, dict(zip(HASHES, tables, strict=True)))
        renew_uuid(group)
        return len(stack)
