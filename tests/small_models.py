"""Settings of small models that several tests make."""

SMALL_HIERARCHICAL = {
    "levels": 2,
    "tmp_abs_factor": 2,
    "enc_dense_embed_size": 16,
    "cell_stoch_size": 4,
    "cell_deter_size": 12,
    "cell_embed_size": 12,
    "channels_mult": 0.125,
}
