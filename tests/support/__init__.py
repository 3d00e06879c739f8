"""What tests share: oracles that are slow and obvious, toys, and files made on the spot."""
