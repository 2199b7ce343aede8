"""Facts about a source film: how it is opened, what it holds besides its picture, and what kind of film it is."""
