"""The registry of weights and of the gallery's pictures: where to fetch them, how to verify them."""
