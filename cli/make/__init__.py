"""Scripts of the Makefile that write files of this project: docs/flags.md, the gallery's make rules."""
