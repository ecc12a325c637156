"""Frames from TIFF files.

`tiff_source` opens a TIFF by tifffile and gives the frames of one series. `tiff_pages` finds the
series and checks that a page's data are whole. `tifffile_log` turns tifffile's exceptions, and the
errors that it only logs, into errors of ours.
"""
