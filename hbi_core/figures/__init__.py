"""Pictures of an explanation: one layout, drawn for print here and for the page in `app`."""
