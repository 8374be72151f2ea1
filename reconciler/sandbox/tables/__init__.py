"""Objects as rows of a table: what `kubectl get` prints."""
