"""The bucket of a cache: its design, its differences from a real bucket, and the changes."""
