"""Stacks in other packages. Each module is named for the package that it serves.

- `dask`: ``to_dask`` makes a dask array; users call `Stack.to_dask`.
- `jupyter`: ``html`` is what a notebook shows of a stack.
- `kerchunk`: ``references`` describes a stack so that Zarr reads the HDF5 file in place; it is also
  `h5vidstack.references`.
- `napari`: ``get_reader`` and ``read`` open stacks as image layers.
- `numcodecs`: ``VideoBlock`` codes the chunks of Zarr arrays as blocks.
- `xarray`: ``StackBackend`` is the engine ``"h5vidstack"`` of ``xarray.open_dataset``.

These names are public; everything else in these modules is private. None of these packages is
needed by h5vidstack itself. Where one is missing, `MissingError` names the ``pip install`` command
that brings it.
"""
