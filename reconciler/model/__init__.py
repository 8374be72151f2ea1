"""Every value that rooms exchange: frozen, slotted, printable."""
