"""Files of trained models: ours, and the ones that the paper's authors released."""
