"""Colours many photographs (from folders, buckets or manifests) in a resumable run, and reports on each."""

from .coordinator import color_batch
from .items import Item
from .options import BatchOptions
from .summary import BatchSummary

__all__ = ["BatchOptions", "BatchSummary", "Item", "color_batch"]
