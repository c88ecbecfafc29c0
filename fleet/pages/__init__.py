"""The mesh as pages for people: read-only, drawn from the same records and under the same rules as the API."""
