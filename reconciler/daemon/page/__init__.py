"""The status page: what the daemon knows, shown to people. It reads; it never asks the cluster and changes nothing."""
