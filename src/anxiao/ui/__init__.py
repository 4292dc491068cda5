"""The room of appearance: page frames, components, icons, template tags, shared scripts and styles."""
