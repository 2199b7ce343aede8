"""The tabs of the studio's page."""
