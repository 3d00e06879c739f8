"""Short scripts to copy: `python -m examples.NAME`, in the root of the repository."""
