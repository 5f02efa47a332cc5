"""What was measured, live or recorded: times, accuracies, and the tables that compare them."""
