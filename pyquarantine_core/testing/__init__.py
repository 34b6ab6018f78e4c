"""What a filter is tested with: an MTA's side of the milter protocol, a real Postfix, an SMTP sink.

Nothing in here needs libmilter. The modules are:

* `mta`: sends mail to a filter as Postfix does and says what would be delivered,
* `postfix`: a real Postfix that lives in a temporary directory,
* `sink`: an SMTP server that keeps what it is sent and fails on demand,
* `submit`: an SMTP client that sends exactly what it is told,
* `rules`: puts a message through the rules of a config, without a daemon,
* `probes`: rules made of plain functions,
* `pytest_plugin`: fixtures for Postfix and the sink.
"""
