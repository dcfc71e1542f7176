"""Recordings by the hundred thousand, tagged into Parquet: one row a recording, and what is done stays done."""
