"""One file a corpus: what it is, how to get it, and how to turn it into manifests."""
