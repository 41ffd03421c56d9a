"""The methods: one paper's objective each."""
