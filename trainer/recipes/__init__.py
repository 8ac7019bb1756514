"""How networks are trained: what may be set, the default of each, and recipes in files."""
