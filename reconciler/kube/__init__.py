"""Pure Kubernetes semantics: names, quantities, selectors, patches, field sets and merge."""
