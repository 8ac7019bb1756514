"""Music whose tempo, notes and paces are known exactly, from patterns, performances and songs."""
