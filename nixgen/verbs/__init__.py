"""The work of each verb: functions that take a project, return a value, and print nothing."""
