"""The examples of deploy/, as an operator uses them."""
