"""Records of how a picture was made: written, read, compared and repeated. Also checkpoints of runs."""
