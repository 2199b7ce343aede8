"""Archives: trees of scans, buckets and manifests coloured by one command, resumable, with a report on each item."""
