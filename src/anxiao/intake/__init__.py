"""The small door for the morning peak: imports only ``base`` and pure rules, never a model."""
