"""The Chef repository as a whole: read, checked and put together."""
