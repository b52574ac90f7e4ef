"""A small e-commerce service: products, orders, points, payments."""
