"""Use a trained encoder outside the workflow: export it, load it, compute features of files.

`fedssl.load_encoder` is in `load`; `write` makes the file that it reads, `card` the model card next
to it, and `embed` computes the features of a folder of files. Features are those of the workflow's
evaluation, because the views and the decoders are the same. No job of the workflow imports this
package.
"""
