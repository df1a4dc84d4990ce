"""Files on disk: atomic writes and fingerprints."""
