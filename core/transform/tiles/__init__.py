"""Runs a transform network on the tiles of a picture, with the same result as on the whole picture."""
