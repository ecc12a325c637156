"""Every kind of input as one `Source`."""
