"""The notes encoding and its laws."""
