"""A review for people and machines: terminal, Markdown, JSON, SARIF."""
