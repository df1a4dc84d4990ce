"""The Debian base: read the package index, resolve packages, and lock them.

`index` reads, `resolve` chooses packages, and `lock` writes debian.lock.json; `locking` does all
three.
"""
