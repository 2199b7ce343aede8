"""Opens and examines source films before ``film/reader.py`` reads them: time code, colours, negatives, damage."""
