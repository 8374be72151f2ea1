"""Specs and nodes to Plan. Pure."""
