"""``nstyle watch``: a config's runs shown in the browser while they go on."""
