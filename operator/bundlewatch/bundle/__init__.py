"""What a tag turns out to be: a chart that can be deployed, or something else that shares its repository."""
