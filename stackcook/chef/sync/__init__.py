"""The Chef server made equal to the repository: compared, uploaded, pruned."""
