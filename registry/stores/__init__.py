"""Where bytes are kept: the disk of this machine, or an S3 bucket. Asked through registry.storage alone."""
