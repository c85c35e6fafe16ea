"""Labelling every vertebra, disc, the cord, the canal and the sacrum."""
