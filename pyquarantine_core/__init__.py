"""The core of pyquarantine: the mail transaction, and how plugins are found and run."""

__version__ = "3.0.0"
