"""NWB: when the images of a series were taken.

Source: the schema of Neurodata Without Borders 2, "TimeSeries".
"""

from __future__ import annotations

import h5py
import numpy as np

from ..array_description import ArrayDescription
from ..picture_records import TIME
from .attributes import DAMAGE, base_name, text_attribute

KIND, DATA = "neurodata_type", "data"
"""The attribute of each group of NWB, and the dataset of a series that holds its values."""


def add_times(group: h5py.Group, dataset: h5py.Dataset, description: ArrayDescription) -> None:
    """Add the times of a series, in seconds: stated for each image, or by a start and a rate."""
    if not text_attribute(group, KIND) or base_name(dataset) != DATA:
        return
    try:
        stamps, start = group.get("timestamps"), group.get("starting_time")
        if isinstance(stamps, h5py.Dataset):
            times = stamps[()]
        elif isinstance(start, h5py.Dataset) and "rate" in start.attrs:
            times = float(start[()]) + np.arange(dataset.shape[0]) / float(start.attrs["rate"])
        else:
            return
    except DAMAGE as error:
        description.leave_out(TIME, str(error))
        return
    if not description.dims:
        description.name_usual_axes()
    description.add_coordinate(TIME, description.dims[:1], times, {"units": "s"})
