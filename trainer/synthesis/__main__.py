"""Render clips: `python -m trainer.synthesis --midi … --samples … --out …`."""

# Worker processes can only import the functions from another module than `__main__`.
from trainer.synthesis.rendering.clips import main

main()
