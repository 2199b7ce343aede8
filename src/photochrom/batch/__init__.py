"""Colours many photographs (from folders, buckets or manifests) in a resumable run, and reports on each."""

from .coordinator import BatchSummary, color_batch
from .items import Item
from .options import BatchOptions

__all__ = ["BatchOptions", "BatchSummary", "Item", "color_batch"]
