"""What one must be able to write down of a model, beside its counts: memory, a training step, a printed number."""
