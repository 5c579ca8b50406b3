"""Errors in the logs of nodes."""
