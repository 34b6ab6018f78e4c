"""A filter on bare pymilter that does nothing, as anybody would write it: `noop.py SOCKET`."""

import sys

import Milter


class Noop(Milter.Base):
    def connect(self, name, family, address):
        return Milter.CONTINUE

    def hello(self, name):
        return Milter.CONTINUE

    def envfrom(self, sender, *parameters):
        return Milter.CONTINUE

    def envrcpt(self, recipient, *parameters):
        return Milter.CONTINUE

    def data(self):
        return Milter.CONTINUE

    def header(self, name, value):
        return Milter.CONTINUE

    def eoh(self):
        return Milter.CONTINUE

    def body(self, chunk):
        return Milter.CONTINUE

    def eom(self):
        return Milter.ACCEPT


Milter.factory = Noop
Milter.runmilter("noop", sys.argv[1], 0)
