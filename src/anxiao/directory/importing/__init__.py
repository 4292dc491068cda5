"""The directory by Excel: read in a cage, judged without guessing, compared with the roster, applied as one."""
