"""Snapshot to Specs and Problems: loading, limits, schemas, file:line."""
