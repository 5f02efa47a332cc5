"""Run the forward of anyone's model: what it is given, what it may not change, and what is known of its operations."""
