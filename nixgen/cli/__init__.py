"""The command line: a module for each verb. console.py, progress.py and cache/status.py draw."""
