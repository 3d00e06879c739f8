"""One file a tab: what it shows, its clicks, its sentences."""
