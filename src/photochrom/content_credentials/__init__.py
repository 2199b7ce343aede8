"""Content credentials (C2PA): a signed statement in each output of where it comes from and what was done to it.

Needs ``pip install 'photochrom[c2pa]'``. Nothing here opens a connection, unless a time stamp authority is named.
"""

from .certificates import make_certificates
from .reading import Claim, read_claim
from .signing import Identity, sign

__all__ = ["Claim", "Identity", "make_certificates", "read_claim", "sign"]
