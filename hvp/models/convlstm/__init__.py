"""ConvLSTM: recurrent convolutional cells on patches of frames."""
