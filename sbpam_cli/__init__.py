"""`sbpam`: schedules host scans on Netwrix Privilege Secure."""

__version__ = "0.1.0"
