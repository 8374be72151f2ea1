"""Manifests × live objects to Changes, and the views people read. Pure.

compare     one object: what is to happen to it, and why
  unchanged   the quick look that nearly every object ends with
  fields      the close look: which fields differ · atomic: inside values that have one owner
  immutable   what the server would refuse · yields: what Git leaves to others · handover: what a planner keeps
prune       objects that Git no longer states · mounts: what running pods still need · guard: how many may go at once
views       terminal, Markdown, JSON
"""
