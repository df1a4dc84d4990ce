"""Manifests: what an application is to a cluster, read, ordered and written."""
