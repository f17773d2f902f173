"""One module per dataset: `MODALITY` and `read(archives)`, which yields samples in one order."""
