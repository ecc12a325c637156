"""Stacks in other packages: dask, xarray, Zarr, napari, Jupyter."""
