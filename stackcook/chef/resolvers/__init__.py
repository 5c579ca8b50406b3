"""Cookbooks that Berkshelf and librarian-chef resolve."""
