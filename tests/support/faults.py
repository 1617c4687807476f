"""What goes wrong on the sandbox, by a script of rules."""

from sbpam_cli.sandbox.faults import Fault as Fault
from sbpam_cli.sandbox.faults import Faults as Faults
