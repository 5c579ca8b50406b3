"""stackcook turns one ``infrastructure.yml`` into a running OpenStack cloud."""

__version__ = "0.1.0"
