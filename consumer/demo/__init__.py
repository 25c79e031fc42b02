"""A shop, a broker and two providers on one machine, so that the main job can be seen in a minute."""
