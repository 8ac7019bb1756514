"""Networks of other designs with the same interface as the default one, for comparison.

They are what this project grew from, kept so that their figures can be had again on the same
recordings and splits: `python -m trainer.research.reference` trains them, and
`python -m trainer.research.evaluate --model` takes their files. Nothing else uses them.
"""
