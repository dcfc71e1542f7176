"""Many machines as one: services on the nodes of a Ray cluster, streams placed among them, one endpoint in front."""
