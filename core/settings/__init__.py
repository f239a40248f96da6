"""The flags of all programs, the checks of their values, and their YAML files."""
