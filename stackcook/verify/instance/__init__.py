"""Proof by instance: one instance on each compute node shows that the cloud does its work."""
