"""The exchange core: pure values in, pure values out.  No socket, clock, dice, logger or environment in here."""
