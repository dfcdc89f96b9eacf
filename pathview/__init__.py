"""PathView: an investigational second reader for breast imaging."""

__version__ = "0.1.0"
