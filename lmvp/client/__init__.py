"""The client of LMVP. Meets the server over HTTP alone; `import lmvp` is its public face."""
