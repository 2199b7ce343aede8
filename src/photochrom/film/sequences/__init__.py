"""Image sequences: films of numbered files, read and written in parallel, with their headers kept."""
