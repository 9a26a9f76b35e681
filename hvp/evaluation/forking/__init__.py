"""Is a model's uncertainty right? Its futures of `forking_shapes` against their exact law."""
