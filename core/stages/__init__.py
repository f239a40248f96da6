"""Config files of one or many runs: parsing, dependencies between runs, and which runs are up to date."""
