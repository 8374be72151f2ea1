"""One file a verb group; no logic of its own."""
