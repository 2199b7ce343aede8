"""File formats of photographs, one module each, and the metadata formats that they share."""
