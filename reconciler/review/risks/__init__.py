"""The dangers of a merge, one concept a file. docs/review.md has a paragraph on each code."""
