"""What the command line and Python programs share; see docs/python.md."""
