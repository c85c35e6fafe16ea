"""The QC report: a folder with a page that shows what each command did to each image."""

from spinetools.qc.entry import Entry, Flag
from spinetools.qc.index import read_entries, refresh
from spinetools.qc.writer import add_entry

__all__ = ["Entry", "Flag", "add_entry", "read_entries", "refresh"]
