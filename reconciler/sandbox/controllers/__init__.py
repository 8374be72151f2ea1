"""The controllers of kube-controller-manager, simulated: one file a controller, decisions apart from requests."""
