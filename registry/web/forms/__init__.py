"""What the registry's pages ask for, by noun. Rules live in the services, whose refusals land beside the fields."""
