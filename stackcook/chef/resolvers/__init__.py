"""Cookbooks that other programs bring."""
