"""From a collection of music to a training set: labels gathered, judged, cleaned and split."""
