"""Networks of membranes as NIR graphs (Neuromorphic Intermediate Representation), and back."""
