"""Players made of players, and the layers they share."""
