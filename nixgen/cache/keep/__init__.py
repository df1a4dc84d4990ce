"""Roots, pins and leases, which protect store paths from collection, and the lock of collectors."""
