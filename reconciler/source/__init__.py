"""Git to Snapshot: blobs from a bare mirror, never a checkout."""
