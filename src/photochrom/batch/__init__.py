"""Colours many photographs (folders, buckets, manifests) in a resumable run, with a report on each item."""

from .coordinator import BatchSummary, color_batch
from .items import Item
from .options import BatchOptions

__all__ = ["BatchOptions", "BatchSummary", "Item", "color_batch"]
