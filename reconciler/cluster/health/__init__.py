"""Whether an object does what it is for, read from the object alone. One file a kind; no I/O."""
