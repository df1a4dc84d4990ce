"""Garbage collection of a cache: what may go, and its removal."""
