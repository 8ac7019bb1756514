"""Training and evaluation of the models that `tempo_core` uses."""
