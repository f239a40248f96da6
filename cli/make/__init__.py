"""What the Makefile calls to write files of this project: docs/flags.md, the gallery's make rules."""
