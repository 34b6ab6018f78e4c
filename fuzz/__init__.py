"""Random input, made so that it reaches more and more of the code (`make fuzz`).

* `targets`: what is fuzzed; each has `check`, which raises when a promise is broken,
* `corpus`: inputs to begin with, a directory for each target,
* `engine`: runs targets under Atheris,
* `protocol`: an MTA that does not keep to the milter protocol, against the real daemon.
"""
