"""An embedded Kubernetes-compatible API server with simulated controllers and nodes."""
