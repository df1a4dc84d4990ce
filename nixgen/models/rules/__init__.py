"""Rules of models: checks inside each model, and checks between the models of a project."""
