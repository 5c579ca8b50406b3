"""Finds and evaluates the files of a Chef repository; each value keeps its position."""
