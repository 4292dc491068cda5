"""The roof: settings, addresses, the command line, and who listens to which news."""
