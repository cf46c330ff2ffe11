"""What an operator does beside the model: says yes or no, reads the record, ends what is past its lease."""
