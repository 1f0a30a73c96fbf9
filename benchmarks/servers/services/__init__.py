"""Programs that run as servers of their own: peers' services in peers' environments, and what only echoes."""
