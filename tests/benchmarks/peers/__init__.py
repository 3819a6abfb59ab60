"""Speed, memory and objective beside other tools, and beside plain loops."""
