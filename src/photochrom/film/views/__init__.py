"""Views of unusual frames that the network is shown: fields, pictures with borders, negatives, log scans."""
