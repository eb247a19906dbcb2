"""What the tools that torture a real cluster share. Python 3 and its standard library only."""
