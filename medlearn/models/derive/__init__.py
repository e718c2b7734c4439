"""Scripts that train the small networks which come with the library. Learners need the weights, not the scripts."""
