"""The story on one machine: a workspace, a database, an app, sites, and the bot that looks after them."""
