"""One project on disk: its infra.py, its sources and its generated tree."""
