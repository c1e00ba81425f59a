"""Views: a question in other words, whose answer gives that of the question."""

from ttrl.data.views.compose import MEANS, views_of

__all__ = ["MEANS", "views_of"]
