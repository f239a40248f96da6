"""Command lines: parse, call ``core``, report. Each command is one file."""
