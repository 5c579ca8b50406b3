"""Runs Tempest, OpenStack's own test suite, on a node, and reads its results."""
