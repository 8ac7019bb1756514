"""Large libraries and the commands that `scale.py` measures on them."""
