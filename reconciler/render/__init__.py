"""Specs, Plan and resolved images to Manifests. Pure."""
