"""Asks every API of a cloud again and again, and measures availability, gaps and latency."""
