"""Ways to count the bars of a track."""

# Length of a bar [beats], and which row of the first bar begins it: all that are told apart.
BARS = (*((4, k) for k in range(4)), *((3, k) for k in range(3)))
