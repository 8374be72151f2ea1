"""A declarative GitOps reconciler: a commit comes in at one end, a converged cluster comes out at the other."""

__version__ = "0.1.0"
