"""A transform network run on tiles of a picture, with the result of the whole."""
