"""Cookbooks, roles, environments and data bags in the form that a Chef server stores."""
