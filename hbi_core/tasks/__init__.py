"""A task turns a batch into named losses, so that the training loop knows no model."""
