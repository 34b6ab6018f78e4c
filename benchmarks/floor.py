"""The least that bare pymilter can do and still see the headers: `floor.py SOCKET`.

It is answered for once a message, at the end of the headers.
"""

import sys

import Milter


class Floor(Milter.Base):
    @Milter.noreply
    def connect(self, name, family, address):
        return Milter.CONTINUE

    @Milter.nocallback
    def hello(self, name):
        return Milter.CONTINUE

    @Milter.noreply
    def envfrom(self, sender, *parameters):
        return Milter.CONTINUE

    @Milter.noreply
    def envrcpt(self, recipient, *parameters):
        return Milter.CONTINUE

    @Milter.nocallback
    def data(self):
        return Milter.CONTINUE

    @Milter.nocallback
    def unknown(self, command):
        return Milter.CONTINUE

    @Milter.noreply
    def header(self, name, value):
        return Milter.CONTINUE

    def eoh(self):
        return Milter.ACCEPT

    @Milter.nocallback
    def body(self, chunk):
        return Milter.CONTINUE


Milter.factory = Floor
Milter.runmilter("floor", sys.argv[1], 0)
