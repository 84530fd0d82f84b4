"""The apps whose pools scenarios start."""
