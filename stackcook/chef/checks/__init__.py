"""Whether the parts are sound, alone and together."""
