"""The exercises, one module a lesson: what is right, the mistakes known by name, the hints."""
