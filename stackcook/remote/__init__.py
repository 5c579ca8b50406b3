"""A node over SSH: run a command, put and get a file; host keys verified since first contact."""
