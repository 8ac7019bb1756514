"""Learning, evaluating and making the models that `tempo_core` uses."""
