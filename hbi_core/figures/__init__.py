"""Pictures of an explanation and of methods side by side, for print and for the page."""
