"""What tests share: rows, a worker played by hand, a real installation on free ports. Law: no assertions here, no test imports another test."""
