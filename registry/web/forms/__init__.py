"""What the pages' forms ask for. Rules live in the services, whose refusals land beside the fields here."""
