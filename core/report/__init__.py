"""One web page about all runs of a folder: ``runs`` finds them, ``views`` prepares them, ``page`` renders."""
