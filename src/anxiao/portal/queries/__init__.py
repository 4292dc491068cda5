"""Reading what several rooms know together, one file a face."""
