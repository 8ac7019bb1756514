"""How good estimators are on labelled music: answers, figures, pictures, reports."""
