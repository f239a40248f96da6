"""The registries of model files and gallery pictures: where to fetch the files and how to verify them."""
