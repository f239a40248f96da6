"""Where the stages of a config run: in this process, in child processes, on a Ray cluster."""
