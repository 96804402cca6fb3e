"""Seeds, checks, paths, device, profiles: what every room stands on."""
