"""Image sequences: films whose frames are numbered files, read and written in parallel, with what their headers say."""
