"""Times as they are stored and sent: milliseconds since 1970, UTC."""

LAST_MS = 253_402_300_799_999
"""End of the year 9999: later than any date can say (datetime.MAXYEAR)."""
