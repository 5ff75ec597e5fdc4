"""What can be asked of the server, a module for each noun; `lmvp.client.api.Client` has it all."""
