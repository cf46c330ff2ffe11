"""What a chat is told of requests for a person's yes: that they wait, and how they ended. It can't answer them."""
