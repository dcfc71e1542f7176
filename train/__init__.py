"""Training: recordings in, bundles out. Imports the engine's front end and bundle; the engine never imports this."""
