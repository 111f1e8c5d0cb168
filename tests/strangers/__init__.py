"""Programs that know nothing of us, and Kite as an operator starts it."""
