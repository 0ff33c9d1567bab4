"""A randomised fault run of label printing: who breaks what, who repairs it, and the truth."""
