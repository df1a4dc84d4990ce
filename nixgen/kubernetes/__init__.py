"""Manifests of Kubernetes: the rendered document of an application, and its text."""
