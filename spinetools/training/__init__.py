"""Training scripts: the models that ship are made here. Nothing else imports this package."""
