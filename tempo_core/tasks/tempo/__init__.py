"""The tempo task: a posterior over a logarithmic tempo axis per window, averaged over the track."""
