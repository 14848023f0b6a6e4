"""Models, panels, pages and places that several tests share."""
