"""Views: turn samples of a bank into batches of network inputs.

Start with `bank_views.Views`, which serves images and audio. `image` and `audio` compute the views
of each modality, `colour` the colour jitter, `resample` the crops, resizes and blurs of both, and
`constants` what is made once per device. `fine_tune` adds the light augmentation of fine-tuning,
`clip_spans` the clips of ACOP, and `statistics` the normalisation of spectrograms.

May import `data.banks.bank`, `data.banks.rows` and the modules at the top of the package. A whole
batch is computed at once on the device, but every sample gets its own random draws.
"""
