"""Virtual label printers: real TCP, the vendors' wire formats, faults on request, and the paper."""
