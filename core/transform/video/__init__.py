"""Stylises videos, frame sequences and camera pictures with a transform network."""
