"""How each model of the package was made: a module and a command for each."""
