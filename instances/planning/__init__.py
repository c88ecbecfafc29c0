"""What an operator asks before a change: pure functions over fetched records, and who fetches them."""
