"""The print agent: beside the label printers, signed in as a device, thin."""
