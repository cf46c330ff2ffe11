"""OpenAPI documents: read with limits, compared with what we ship, adopted, and written."""
