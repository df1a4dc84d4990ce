"""Layers and layouts on disk."""
