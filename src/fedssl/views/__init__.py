"""Views: batches of samples to batches of network inputs, on the device, one draw per sample."""
