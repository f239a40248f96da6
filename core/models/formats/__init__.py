"""The same weights in other programs' files: one module a format, all giving :class:`Convolutions`."""
