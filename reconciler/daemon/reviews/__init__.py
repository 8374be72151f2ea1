"""`reconciler review`: what merges would do, told under pull requests."""
