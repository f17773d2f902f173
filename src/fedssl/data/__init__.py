"""Archives, banks and shards."""
