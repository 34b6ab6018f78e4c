pytest_plugins = ["pyquarantine_core.testing.pytest_plugin"]
