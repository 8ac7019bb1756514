"""The toy task again, as one that needs the tempo: how bright a track sounds for its tempo."""
