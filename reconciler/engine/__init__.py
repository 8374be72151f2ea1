"""One pass from a Snapshot to a converged cluster."""
