"""Shared by all programs: the grammar of the flags, notices, progress bars, tables."""
