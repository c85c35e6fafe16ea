"""The commands: the only place for argparse, print and sys.exit.

Importing a command imports nothing heavy, so that ``st_x -h`` answers at once.
"""
