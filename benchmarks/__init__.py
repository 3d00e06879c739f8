"""Measurements that the README quotes. `make bench` runs them; results/ keeps them."""
