"""Run the stages of a config: in this process, in child processes, or on a Ray cluster."""
