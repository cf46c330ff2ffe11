"""Between a model that may be wrong and machines that cost money: decides whether a call may go on."""
