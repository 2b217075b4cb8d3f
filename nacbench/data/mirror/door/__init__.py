"""The door through which copies of data sets come in: recognise, unpack, read, check, and put in place."""
