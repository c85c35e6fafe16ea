"""What masks are measured by: overlap, distances between surfaces, shape of the cord."""
