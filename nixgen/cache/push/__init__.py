"""Pushing store paths to a cache."""
