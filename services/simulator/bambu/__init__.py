"""Virtual Bambu printers: each is its own MQTT broker with TLS, as a real one is."""
