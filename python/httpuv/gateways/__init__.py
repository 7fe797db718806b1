"""The gateways: they let the core call applications of each interface."""
