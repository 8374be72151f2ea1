"""Kubernetes over HTTP: discovery, watch cache, apply, prune, health, stored state."""
