"""Archives: trees of scans, buckets and manifests coloured by one command, resumable, with a report on each item."""

from .items import Item
from .job import BatchSummary, color_batch
from .options import BatchOptions

__all__ = ["BatchOptions", "BatchSummary", "Item", "color_batch"]
