"""What pyquarantine costs, side by side with filters that do nothing and with pyquarantine 2.1.0.

    python -m benchmarks [SECTION ...]

`make bench` runs all of it but the section `large`, which is `make bench-large`.
"""
