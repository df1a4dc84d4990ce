"""What each verb of the command line does to a project. Nothing here prints."""
