"""Watermarks: signed speech, and how likely it is that what looks signed does so by chance."""
