"""Attributes and values of datasets of HDF5, as a description takes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from ...layout.column_values import described, values_of
from ...layout.metadata_names import HDF5_ATTRIBUTES, STORED_AS
from ..array_description import ArrayDescription, as_text

_NETCDF = "_NCProperties"
"""The attribute of a file that the libraries of netCDF-4 wrote."""
DAMAGE = (KeyError, OSError, RuntimeError, TypeError, ValueError)
"""What h5py raises for what it cannot read."""


def attributes(node: h5py.HLObject, description: ArrayDescription) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object that are its users', not HDF5's or netCDF-4's own.

    netCDF-4 knows no single values and stores each as an array of one, so that is what it is here.
    """
    by_netcdf = _NETCDF in node.file.attrs
    for name in node.attrs:
        is_scale = name == "CLASS" and text_attribute(node, name) != "DIMENSION_SCALE"
        if name in HDF5_ATTRIBUTES and not is_scale:
            continue
        try:
            value = node.attrs[name]
        except DAMAGE as error:
            description.leave_out(f"attribute {name}", str(error))
            continue
        if isinstance(value, h5py.Empty):
            value = "" if value.dtype.kind in "SO" else []
        if by_netcdf and np.shape(value) == (1,):
            value = value[0]
        yield name, value


def text_attribute(node: h5py.HLObject, name: str) -> str:
    """Return an attribute that is a text; an empty one for any other."""
    value = node.attrs.get(name, "")
    return as_text(value) if isinstance(value, str | bytes) else ""


def base_name(node: h5py.HLObject) -> str:
    """Return the last part of the path of an object."""
    return str(node.name or "").rpartition("/")[2]


def add_values(
    description: ArrayDescription, name: str, dims: tuple[str, ...], values: h5py.Dataset
) -> None:
    """Add the values of a dataset as a coordinate."""
    try:
        if STORED_AS in values.attrs:  # the program wrote it
            attrs, _ = described(values)
            description.add_coordinate(name, dims, values_of(values), attrs)
            return
        attrs = dict(attributes(values, description))
        found = values.asstr("utf-8", "surrogateescape")[()] if _is_text(values) else values[()]
    except DAMAGE as error:
        description.leave_out(name, str(error))
        return
    description.add_coordinate(name, dims, found, attrs)


def _is_text(values: h5py.Dataset) -> bool:
    return h5py.check_string_dtype(values.dtype) is not None
