"""The studio as its visitors meet it, in a real browser."""
