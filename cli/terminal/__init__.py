"""What all programs share at the terminal: flag grammar, notices, progress bars, tables."""
