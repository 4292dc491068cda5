"""Every read of this room: boards from counters, names from facts, the reports of one person."""
