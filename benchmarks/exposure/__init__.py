"""What users see of a bad canary: two servers, the two ways to give one of them a share, and the judge of both."""
