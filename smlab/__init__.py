"""smlab: AI for social-media marketing, as notebooks that run and a module small enough to read."""

__version__ = "0.1.0"
