{ environment.etc."stage".text = "staging"; }
