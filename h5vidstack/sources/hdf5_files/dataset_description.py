"""What datasets of HDF5 say of themselves: attributes, dimension scales and labels, NeXus.

netCDF-4 files are HDF5. Their dimensions are dimension scales, and their variables are datasets.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import h5py
from h5py import h5ds

from ...layout.metadata_names import NO_VARIABLE
from ...layout.names import is_stack
from ...metadata.words import WordsKind
from ..array_description import VARIABLE, ArrayDescription
from . import nwb
from .attributes import DAMAGE, add_values, attributes, base_name, text_attribute
from .links import object_key
from .nexus import NexusData

AUXILIARY = ("coordinates", "grid_mapping")
"""Attributes in which the CF conventions name variables that belong to a variable."""


def described(
    dataset: h5py.Dataset, name: str, group: h5py.Group | None = None
) -> ArrayDescription:
    """Collect what a dataset says of itself, and what its file says of it.

    Parameters
    ----------
    name
        What the user calls it.
    group
        The group through which it was found; None: the one that it is in.
    """
    group = dataset.parent if group is None else group
    description = ArrayDescription(dataset.shape, name)
    nexus = NexusData.of(group, dataset)
    if nexus is not None:
        nexus.describe(dataset, description)
    scales = [_scales(dataset, axis, description) for axis in range(dataset.ndim)]
    if not description.dims:
        description.name_axes(_axis_name(dataset, axis, found) for axis, found in enumerate(scales))
    of_axes: dict[tuple[int, int], str] = {}
    if description.dims:
        for dim, found in zip(description.dims, scales, strict=True):
            of_axes |= {object_key(scale): dim for scale in found}
            for scale in found:
                _add_scale(description, dim, scale, alone=len(found) == 1)
        for variable in _variables(dataset, scales):
            _add_variable(description, variable, of_axes)
    nwb.add_times(group, dataset, description)
    for key, value in attributes(dataset, description):
        if key == "coordinates" and of_axes:
            continue
        description.add_attribute(key, value)
    if not is_stack(group):
        description.add_group_attributes(dict(attributes(group, description)))
    label = base_name(dataset)
    if of_axes or nexus is not None:
        description.add_words(VARIABLE, WordsKind.TEXT, label)
    return description


def _scales(dataset: h5py.Dataset, axis: int, description: ArrayDescription) -> list[h5py.Dataset]:
    """Return the dimension scales of an axis."""
    try:
        return list(dataset.dims[axis].values())
    except DAMAGE as error:
        description.leave_out(f"the scales of axis {axis}", str(error))
        return []


def _axis_name(dataset: h5py.Dataset, axis: int, scales: list[h5py.Dataset]) -> str | None:
    """Return the name of an axis: its label, or that of its first scale."""
    return dataset.dims[axis].label or (base_name(scales[0]) if scales else None)


def _add_scale(
    description: ArrayDescription, dim: str, scale: h5py.Dataset, *, alone: bool
) -> None:
    """Add the values of a dimension scale, if it has any."""
    with contextlib.suppress(*DAMAGE):
        if (h5ds.get_scale_name(scale.id) or b"").startswith(NO_VARIABLE.encode()):
            return
    add_values(description, dim if alone else base_name(scale), (dim,), scale)


def _variables(dataset: h5py.Dataset, scales: list[list[h5py.Dataset]]) -> Iterator[h5py.Dataset]:
    """Yield other variables that belong to one: those of its attributes, and of its axes.

    Stacks of other images are left out, unless its attributes name them: they may be as large.
    """
    seen = {object_key(dataset)} | {object_key(scale) for found in scales for scale in found}
    attached = (found for found in _attached(scales) if not _is_stack_of_images(found, scales))
    for variable in itertools.chain(_named(dataset), attached):
        if object_key(variable) not in seen:
            seen.add(object_key(variable))
            yield variable


def _is_stack_of_images(variable: h5py.Dataset, scales: list[list[h5py.Dataset]]) -> bool:
    """Whether a variable has the last two axes of images, and others."""
    if variable.ndim < 3:
        return False
    own = [{object_key(scale) for scale in axis.values()} for axis in variable.dims]
    return all(
        any(keys & {object_key(scale) for scale in found} for keys in own) for found in scales[-2:]
    )


def _named(dataset: h5py.Dataset) -> Iterator[h5py.Dataset]:
    for attribute in AUXILIARY:
        for name in text_attribute(dataset, attribute).split():
            with contextlib.suppress(*DAMAGE):
                found = dataset.parent.get(name)
                if isinstance(found, h5py.Dataset):
                    yield found


def _attached(scales: list[list[h5py.Dataset]]) -> Iterator[h5py.Dataset]:
    """Yield the datasets to which the scales are attached."""
    for scale in (scale for found in scales for scale in found):
        with contextlib.suppress(*DAMAGE):
            for reference, _ in scale.attrs.get("REFERENCE_LIST", ()):
                if isinstance(found := scale.file[reference], h5py.Dataset):
                    yield found


def _add_variable(
    description: ArrayDescription, variable: h5py.Dataset, of_axes: dict[tuple[int, int], str]
) -> None:
    """Add a variable along axes of the images; another image, or one along other axes, is left."""
    dims: list[str] = []
    for axis in range(variable.ndim):
        found = _scales(variable, axis, description)
        dim = of_axes.get(object_key(found[0])) if found else None
        if dim is None:
            return
        dims.append(dim)
    if len(dims) < len(description.dims):
        add_values(description, base_name(variable), tuple(dims), variable)
