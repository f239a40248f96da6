"""Reads, writes, resizes and compares pictures."""
