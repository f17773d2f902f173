"""From metric files to tables, figures and gains; nothing here computes a prediction."""
