"""Model bundles: one self-describing safetensors file."""
