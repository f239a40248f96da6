"""The pictures of a training: HDF5 files, folders, and building the former from the latter."""
