"""Tempo: a distribution over a logarithmic tempo axis for each window, averaged over the track."""
