"""What a reader works with, as plain records: cases, studies, views, forms, modes."""
