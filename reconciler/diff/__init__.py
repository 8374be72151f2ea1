"""Manifests × live objects to Changes, and the views people read. Pure."""
