"""Bundles: one file with all that a deploy needs from the internet."""
