"""Networks to count, to time and to train: from papers, for the digits, and single layers."""
