"""One file for each kind of receiver. `receiver` says what they have in common."""
