"""Model files: names, cards, downloads, and the engines that run them."""
