"""Networks and losses: encoders, decoders, colorization and its export."""
