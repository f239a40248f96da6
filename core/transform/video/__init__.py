"""Films, frame sequences and cameras through a transform network."""
