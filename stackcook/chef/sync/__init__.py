"""Makes a Chef server equal to the repository: compare, upload, prune."""
