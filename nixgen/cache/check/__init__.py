"""Finding what is wrong in a cache, and repairing it."""
