"""The files of a Chef repository: found, evaluated, each value with its place."""
