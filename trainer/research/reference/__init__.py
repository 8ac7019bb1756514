"""Networks for tags that are trained from random weights, to compare the shipped embedding with.

They are after Pons, Nieto, Prockup, Schmidt, Ehmann & Serra, "End-to-end learning for music audio
tagging at scale" (ISMIR 2018), as is the pipeline that this project grew from: a front end on the
waveform or on a log-mel spectrogram, and one back end. From audio to figures:

- `sources.py`, `published.py`: tracks with their tags, from a table, a training set, MagnaTagATune
  or the Million Song Dataset; `cleaning.py`: which tags are learned, and which tracks on which side
- `inputs.py`, `shards.py`: what the networks see, and the cache of it
- `networks.py`, `training.py`, `model.py`: designs, training, and a trained network in its file
- `comparing.py`, `head.py`: both front ends, and a head on an embedding, on the same folds
- `recipe.py`: all settings; `__main__.py`: `python -m trainer.research.reference --help`
"""
