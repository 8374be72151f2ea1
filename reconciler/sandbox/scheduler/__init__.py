"""The scheduler of the sandbox: which node a pod goes to, and why not the others."""
