"""Picture files, resizing, and comparing two pictures."""
