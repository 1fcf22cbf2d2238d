"""Which bundle: pure rules from a list of tags to one choice, with a reason for every tag."""
