"""What people look at: frames, examples, contact sheets, comparison GIFs, pages."""
