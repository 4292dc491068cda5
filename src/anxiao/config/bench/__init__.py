"""The bench: synthetic provinces of any size, and the loads that are put on them.

``province*`` makes a province and weighs it; nothing in here is reached by the service itself.
"""
