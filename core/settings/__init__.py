"""The flags of all programs, their checks, and their YAML files."""
