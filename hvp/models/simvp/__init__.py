"""SimVP, with the translators that followed it: gSTA, TAU, ConvMixer, IncepU."""
