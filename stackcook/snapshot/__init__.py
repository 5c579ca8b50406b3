"""Saved clouds of the lab, from which machines are restored."""
