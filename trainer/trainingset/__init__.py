"""Training sets made of a collection of music: labels are gathered, judged, cleaned and split."""
