"""Evaluation of estimators on labelled music: answers, figures, plots and reports."""
