"""Machines that let a command down: full disks, folders that cannot be written, odd clocks."""

from __future__ import annotations


def machine(table, count, folder):
    pass


def names(table, count, folder):
    pass
