"""Files on the disk: atomic writes, and fingerprints of folders."""
