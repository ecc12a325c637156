"""Datasets that the filter codes."""

import h5py


def create(path, frames, chunks, **options):
    with h5py.File(path, "w") as file:
        return file.create_dataset(
            "d", data=frames, chunks=chunks, maxshape=(None, *frames.shape[1:]), **options
        ).id.get_storage_size()


def read(path):
    with h5py.File(path) as file:
        return file["d"][...]
