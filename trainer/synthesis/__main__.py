"""Render clips: `python -m trainer.synthesis --midi … --samples … --out …`."""

# Worker processes must find the functions in an importable module, which `__main__` is not.
from trainer.synthesis.clips import main

main()
