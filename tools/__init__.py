"""What is run while Bongsu is built, and is no part of what is installed."""
