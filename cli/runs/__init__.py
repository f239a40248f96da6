"""One run of each program, from its settings to the log and the files it writes."""
