"""Building: derivations to store paths, on this computer and on others."""
