"""Which Chef server: the user's or the embedded one; and knife beside us."""
