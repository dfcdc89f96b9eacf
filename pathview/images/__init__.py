"""Reading images: one protocol, one file a format, one table that finds the right one."""
