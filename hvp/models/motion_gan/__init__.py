"""The frequency-based motion GAN: videos from a content code and motions of learned frequencies."""
