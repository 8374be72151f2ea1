"""Triggers, work queue, endpoints and signals."""
