"""Training: settings, batches, the loop, and what it leaves on disk."""
