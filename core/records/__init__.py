"""How a picture was made: its record, its identity, checkpoints, and making it again."""
