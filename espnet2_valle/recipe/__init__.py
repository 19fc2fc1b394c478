"""The stages of a recipe and their state: what is done, what has changed, what is missing."""
