"""Garbage collection of a cache: the choice of dead objects, and their removal."""
