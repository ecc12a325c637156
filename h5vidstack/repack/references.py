"""References to objects and regions, from one file to another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5a, h5o, h5r, h5s

from ..layout import HDF5_ERRORS
from .raw import slabs

Values = npt.NDArray[Any]


class References:
    """What references of a source file are in its copy.

    Parameters
    ----------
    paths
        Of each object of the source that has been copied: where it is, by its address.

    Attributes
    ----------
    lost
        How many pointed to what is not there any more; they are null in the copy.
    """

    def __init__(self, source: h5py.File, target: h5py.File, paths: Mapping[int, bytes]) -> None:
        self._source, self._target, self._paths = source, target, paths
        self.lost = 0

    def of_attribute(self, attribute: h5a.AttrID) -> Values | None:
        """All values of an attribute, renewed; None if it has none."""
        found = read_attribute(attribute)
        return None if found is None else self.renew(found, attribute.dtype)

    def of_dataset(self, dataset: h5py.Dataset) -> Iterator[tuple[h5s.SpaceID, Values]]:
        """All values of a dataset, renewed, a piece at a time, and where each is."""
        for space, found in read_pieces(dataset):
            yield space, self.renew(found, dataset.dtype)

    def renew(self, values: Values, kind: np.dtype[Any]) -> Values:
        """Values of a dtype (h5py's, with references in it) as they are in the copy."""
        if h5py.check_ref_dtype(kind) is not None:
            return self._each(values, kind, self._reference)
        inner = sequence_of(kind)
        if inner is not None:
            return self._each(values, kind, lambda part: self.renew(np.asarray(part, inner), inner))
        if kind.names is not None and kind.fields is not None:
            fresh = values.copy()
            for name in kind.names:
                field = kind.fields[name][0]
                base = field.base if field.subdtype is not None else field
                fresh[name] = self.renew(values[name], base)
            return fresh
        return values

    @staticmethod
    def _each(values: Values, kind: np.dtype[Any], work: Callable[[Any], Any]) -> Values:
        fresh = np.empty(values.shape, kind)
        for place in np.ndindex(values.shape):
            fresh[place] = work(values[place])
        return fresh

    def _reference(self, reference: Any) -> Any:
        """One reference; null if the object that it points to was removed."""
        is_region = isinstance(reference, h5r.RegionReference)
        null = h5r.RegionReference() if is_region else h5r.Reference()
        if not reference:
            return null
        try:
            found = h5r.dereference(reference, self._source.id)
            path = self._paths.get(h5o.get_info(found).addr) if found is not None else None
        except HDF5_ERRORS:  # there is no object any more
            path = None
        if path is None:
            self.lost += 1
            return null
        if not is_region:
            return h5r.create(self._target.id, path, h5r.OBJECT)
        region = h5r.get_region(reference, self._source.id)
        return h5r.create(self._target.id, path, h5r.DATASET_REGION, region)


def sequence_of(kind: np.dtype[Any]) -> np.dtype[Any] | None:
    """Of what a dtype is sequences of any length; None for other dtypes, and for strings."""
    if h5py.check_string_dtype(kind) is not None:
        return None
    inner = h5py.check_vlen_dtype(kind)
    return None if inner is None else np.dtype(inner)


def read_attribute(attribute: h5a.AttrID) -> Values | None:
    """The values of an attribute as h5py's; None if it has none."""
    if attribute.get_space().get_simple_extent_type() == h5s.NULL:
        return None
    values = np.empty(attribute.shape, attribute.dtype)
    attribute.read(values)
    return values


def read_pieces(dataset: h5py.Dataset) -> Iterator[tuple[h5s.SpaceID, Values]]:
    """The values of a dataset as h5py's, a piece at a time, and where in it each is."""
    for space in slabs(dataset, dataset.id.get_type().get_size()):
        shape = (space.get_select_npoints() // math.prod(dataset.shape[1:]), *dataset.shape[1:])
        values = np.empty(shape if dataset.shape else (), dataset.dtype)
        dataset.id.read(h5s.create_simple(shape) if dataset.shape else space, space, values)
        yield space, values
