"""What workloads use: measurements in, bounded histories out."""
