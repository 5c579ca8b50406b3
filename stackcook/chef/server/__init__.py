"""Which Chef server: the user's or the embedded one; and knife for it."""
