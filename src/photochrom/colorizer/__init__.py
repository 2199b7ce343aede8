"""The heart: the one path from luma to chroma, its options, hints, suggestions and references."""
