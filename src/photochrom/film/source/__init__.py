"""Opens source films safely, and examines them: time code, side data, colours, negatives, pulldown, damage."""
