"""Content credentials (C2PA): signed statements in outputs about their origin and editing.

This needs ``pip install 'photochrom[c2pa]'``. No network connection is opened unless a time stamp authority is given.
"""

from .certificates import make_certificates
from .reading import Claim, read_claim
from .signing import Identity, sign

__all__ = ["Claim", "Identity", "make_certificates", "read_claim", "sign"]
