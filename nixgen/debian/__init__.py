"""The embedded package base: reading a Debian index, resolving packages, locking them.

Each module hides one decision and is imported by its own name; `index`, `resolve` and `lock` are the usual order.
"""
