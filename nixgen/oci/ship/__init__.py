"""Gives images to registries and container engines."""
