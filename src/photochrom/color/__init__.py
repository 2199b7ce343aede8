"""Numbers only: colour spaces, coding, gamut, upsampling and bands of rows. numpy and OpenCV, no files."""
