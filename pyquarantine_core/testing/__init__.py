"""What a filter is tested with: an MTA's side of the milter protocol, a real Postfix, an SMTP sink.

Nothing in here needs libmilter. The modules are:

* `mta`: sends mail to a filter as Postfix does and says what would be delivered,
* `postfix`: a real Postfix that lives in a temporary directory,
* `sink`: an SMTP server that keeps what it is sent and fails on demand,
* `submit`: an SMTP client that sends exactly what it is told,
* `browser`: HTML as headless Chromium shows it in a frame, as web mail does,
* `rendering`: what pages do in Chromium, and where they paint; `pages`, `devtools`: what both use,
* `rules`: puts a message through a condition, an action or the rules of a config, no daemon,
* `contracts`: tests to inherit, one suite for each kind of plugin,
* `stand_ins`: simple storages, notifications and lists for tests that need one,
* `mail_mix`, `hostile`: a message of each kind, and what nobody sends in good faith,
* `elsewhere`: a component in other processes,
* `processes`: waiting for servers and for their end,
* `daemon`: the real daemon,
* `probes`: rules made of plain functions,
* `pytest_plugin`: fixtures for the daemon, Postfix and the sink.
"""
