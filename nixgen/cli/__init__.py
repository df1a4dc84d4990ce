"""The command line. One small file a verb; console.py holds everything that draws."""
