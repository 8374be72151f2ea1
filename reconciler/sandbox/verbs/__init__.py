"""What can be done with objects, one verb a module."""
