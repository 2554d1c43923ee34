"""Records in, pictures out: the JSON record of a run, tables, plots and one HTML page; knows no model."""
