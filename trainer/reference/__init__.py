"""Networks of other designs, for comparison with the default one on anybody's training set.

They are after networks that this project grew from. `tempo-core train --network` trains them;
`tempo-core estimate --model` and `evaluate --model` take their files, by the entry points of the
group `tempo_core.designs`.
"""
