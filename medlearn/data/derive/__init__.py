"""Scripts that derive the small tables which come with the library. Learners need the tables, not the scripts."""
