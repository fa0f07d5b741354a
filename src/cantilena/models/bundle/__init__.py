"""Model bundles: self-describing safetensors files."""
