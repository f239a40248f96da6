"""Run each program from its settings: print the log, write the files."""
