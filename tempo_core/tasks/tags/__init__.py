"""What a track sounds like: words for it, and where it lies among others."""
