"""What a trained encoder is worth: protocols on frozen features, and the statistics over them."""
