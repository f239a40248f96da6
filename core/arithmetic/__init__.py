"""The operations whose rounding decides the picture: the protocol, and what implements it."""
