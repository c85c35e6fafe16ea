"""Models as data: where they are found, and the card that says how to run them."""
