"""The command lines. Each one parses its flags, calls ``core`` and reports. Each command is one file."""
