"""What ``stackcook init`` writes: a new Chef repository, or the manifest of one that is there."""
