"""What a discriminator's sight is augmented by."""
