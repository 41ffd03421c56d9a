"""The recipes: named run configurations."""
