"""What protects store paths from collection: roots, pins and leases."""
