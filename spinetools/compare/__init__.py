"""Comparing methods of segmentation on the same images, with and without a reference."""
