"""Many runs: expanded from one file, planned, carried out here or on a cluster, looked after, never done twice."""
