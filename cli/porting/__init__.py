"""Shell scripts and README blocks of the years 2015 to 2018 to configs: read, evaluated, grouped, written."""
