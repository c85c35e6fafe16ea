"""BIDS: names of files, data sets that are read, and derivatives that are written.

What is needed of the Brain Imaging Data Structure (BIDS 1.10, https://bids-specification.readthedocs.io),
with the standard library alone.
"""

from spinetools.bids.dataset import Dataset, find_dataset, open_dataset
from spinetools.bids.derivatives import Derivatives, Output
from spinetools.bids.names import BidsName, contrast_of, parse_name
from spinetools.bids.select import compile_pattern, matching

__all__ = [
    "BidsName",
    "Dataset",
    "Derivatives",
    "Output",
    "compile_pattern",
    "contrast_of",
    "find_dataset",
    "matching",
    "open_dataset",
    "parse_name",
]
