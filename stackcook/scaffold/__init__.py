"""What ``stackcook init`` writes: a new Chef repository, or the manifest of an existing one."""
