"""Verifying, repairing and describing a cache, and the rotation of its keys."""
