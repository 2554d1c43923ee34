"""Training: recipes, the Lightning module, batches and evaluation."""
