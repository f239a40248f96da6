"""Makes a web page about all runs in a folder: ``runs`` finds them, ``views`` prepares, ``page`` renders."""
