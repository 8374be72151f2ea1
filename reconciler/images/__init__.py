"""OCI registries and builders: from what a team wrote of an image to the digest that runs."""
