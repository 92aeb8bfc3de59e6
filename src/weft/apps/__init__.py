"""What a person starts: the command line, the report, the playground."""
