"""What would this merge do? Two revisions, compared before anything happens."""
