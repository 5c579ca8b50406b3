"""Cookbooks, roles, environments and data bags, each in the form that the server takes."""
