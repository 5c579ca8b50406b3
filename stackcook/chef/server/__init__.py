"""Selects the Chef server (the user's or the embedded one), runs it, and configures knife."""
