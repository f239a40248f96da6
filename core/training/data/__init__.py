"""Reads training pictures from HDF5 files and folders, and builds HDF5 files from folders."""
