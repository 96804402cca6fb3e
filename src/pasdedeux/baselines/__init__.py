"""The competing methods, one file each."""
