"""Seeds of many utterances and of several goes at each, and which go is kept."""
