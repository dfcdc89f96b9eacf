"""What the store keeps of a case: rows, answers, labels, marks, decisions."""
