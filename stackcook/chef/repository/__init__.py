"""The repository whole: read, checked, put together, and what is asked of it."""
