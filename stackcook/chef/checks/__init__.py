"""Checks the repository's objects: syntax, references and versions."""
