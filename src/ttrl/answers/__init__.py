"""From completion to answer, and from answer to the key that says what it equals."""
