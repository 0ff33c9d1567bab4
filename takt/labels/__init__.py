"""Pictures of labels and the codes that can be read in them."""
