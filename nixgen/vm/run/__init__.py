"""Running a test: machines booted, script run, result kept."""
