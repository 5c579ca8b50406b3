"""A Chef server's REST interface."""
