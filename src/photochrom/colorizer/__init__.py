"""The path from luma to chroma, with its options, hints, suggestions and reference photographs."""
