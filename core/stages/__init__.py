"""Config files of one or many runs: what they say, which runs feed which, and what has to run again."""
